//! The log on a real Kafka passes the suite; and what is special about topics, brokers and their settings.

mod on_servers;
