//! Whether a server really answers, told by the first message of its own protocol.
//!
//! An open port says little: Docker opens it before the server, and a broker before it has joined its cluster.

use std::io::{self, ErrorKind, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::Kind;
use super::kind::Product;

const ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
/// More than three brokers ever say.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Whether everything behind this address answers.
pub(super) fn answers(kind: Kind, address: &str) -> bool {
    let endpoints = endpoints(address);
    let Ok(count) = i32::try_from(endpoints.len()) else {
        return false;
    };
    let answers_at = |endpoint: &SocketAddr| match kind.product() {
        Product::Kafka => kafka_brokers(*endpoint).is_ok_and(|brokers| brokers == count),
        Product::Mysql | Product::Mariadb => is_greeted(*endpoint).unwrap_or(false),
    };
    count > 0 && endpoints.iter().all(answers_at)
}

/// Whether one of the servers behind an address answers, counted from zero, while some of them may be gone. A broker has to
/// know that at least `running_count` are alive.
pub(super) fn one_answers(kind: Kind, address: &str, index: usize, running_count: usize) -> bool {
    let (endpoints, running_count) = (endpoints(address), i32::try_from(running_count));
    let (Some(endpoint), Ok(running_count)) = (endpoints.get(index), running_count) else {
        return false;
    };
    match kind.product() {
        Product::Kafka => kafka_brokers(*endpoint).is_ok_and(|brokers| brokers >= running_count),
        Product::Mysql | Product::Mariadb => is_greeted(*endpoint).unwrap_or(false),
    }
}

/// `host:port,host:port` or `scheme://login@host:port/database`. Our own addresses name hosts by number.
fn endpoints(address: &str) -> Vec<SocketAddr> {
    let behind_login = address.rsplit_once('@').map_or(address, |(_, behind)| behind);
    let hosts = behind_login.split('/').next().unwrap_or_default();
    hosts.split(',').filter_map(|host| host.parse().ok()).collect()
}

/// MySQL and MariaDB greet first, with version 10 of their protocol. An error, such as "too many connections", has the
/// number 255 there.
fn is_greeted(endpoint: SocketAddr) -> io::Result<bool> {
    let mut stream = connect(endpoint)?;
    let mut start = [0; 5];
    stream.read_exact(&mut start)?;
    Ok(start[4] == 10)
}

/// The number of brokers that a broker knows to be alive, by a Metadata request of version 1 that asks for no topic.
/// <https://kafka.apache.org/43/design/protocol/#The_Messages_Metadata>
fn kafka_brokers(endpoint: SocketAddr) -> io::Result<i32> {
    const REQUEST: &[u8] = &[
        0, 3, 0, 1, // Metadata, version 1
        0, 0, 0, 7, // correlation id
        0, 0, // an empty client id
        0, 0, 0, 0, // no topics
    ];
    let mut stream = connect(endpoint)?;
    let length = u32::try_from(REQUEST.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), REQUEST].concat())?;
    let answer = read_answer(&mut stream)?;
    let number = |at: usize| answer.get(at..at + 4)?.try_into().ok().map(i32::from_be_bytes);
    match (number(0), number(4)) {
        (Some(7), Some(brokers)) => Ok(brokers),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

fn read_answer(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    if length > ANSWER_BYTES_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn connect(endpoint: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&endpoint, ANSWER_TIME_MAX)?;
    stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
    stream.set_write_timeout(Some(ANSWER_TIME_MAX))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::{Kind, answers, endpoints, one_answers};
    use std::io::Write as _;
    use std::net::{SocketAddr, TcpListener};
    use std::thread;

    /// A server that says the same to each that connects.
    fn server(saying: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = stream.unwrap().write_all(saying);
            }
        });
        address
    }

    #[test]
    fn addresses_of_all_forms_are_understood() {
        let one: SocketAddr = "127.0.0.1:9092".parse().unwrap();
        let other: SocketAddr = "127.0.0.1:9093".parse().unwrap();
        assert_eq!(endpoints("127.0.0.1:9092,127.0.0.1:9093"), [one, other]);
        assert_eq!(endpoints("mysql://stockledger:secret@127.0.0.1:9092/stockledger"), [one]);
        assert_eq!(endpoints("nonsense"), []);
    }

    #[test]
    fn a_greeting_is_an_answer_and_an_error_or_silence_is_none() {
        let answers_with = |saying| answers(Kind::Mysql, &format!("mysql://a:b@{}/c", server(saying)));
        assert!(answers_with(b"\x4a\0\0\0\x0a9.7.4\0"));
        assert!(!answers_with(b"\x4a\0\0\0\xff\x10\x04Too many connections"));
        assert!(!answers_with(b""));
    }

    #[test]
    fn a_broker_answers_when_it_knows_as_many_brokers_as_the_address() {
        let knows_one: &[u8] = b"\0\0\0\x0c\0\0\0\x07\0\0\0\x01\0\0\0\x01";
        let (one, other) = (server(knows_one), server(knows_one));
        assert!(answers(Kind::Kafka, &one.to_string()));
        let both = format!("{one},{other}");
        assert!(!answers(Kind::Kafka3, &both));
        assert!(one_answers(Kind::Kafka3, &both, 1, 1));
        assert!(!one_answers(Kind::Kafka3, &both, 1, 2) && !one_answers(Kind::Kafka3, &both, 2, 1));
        assert!(!answers(Kind::Kafka, &server(b"\0\0\0\x08\0\0\0\x06\0\0\0\x01").to_string()));
        assert!(!answers(Kind::Kafka, &server(b"\xff\xff\xff\xff").to_string()));
        assert!(!answers(Kind::Kafka, ""));
    }
}
