# The image of the one program. Build it with BuildKit, the default of Docker since 23:
#
#   docker build --tag stockledger .
#
# A build goes on where the last one stopped: registry and target directory are caches. `--build-arg PROFILE=release`
# is much quicker to build and a little slower to run.

# The `rust-version` of Cargo.toml. rust-toolchain.toml is left out: it would fetch parts that a build does not need.
ARG RUST_VERSION=1.95

FROM rust:${RUST_VERSION}-bookworm AS build
ARG PROFILE=dist
WORKDIR /build
COPY . .
# librdkafka is compiled from the crate with what this image has: a C and C++ compiler, make and zlib.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    cargo build --locked --profile "${PROFILE}" --package stockledger --bin stockledger \
    && install -D "target/${PROFILE}/stockledger" /out/stockledger

FROM debian:bookworm-slim
# A fixed id, so that the owner of a volume is the same in every version of the image.
RUN groupadd --gid 10001 stockledger \
    && useradd --uid 10001 --gid stockledger --no-create-home --home-dir /data --shell /usr/sbin/nologin stockledger \
    && install --directory --owner=stockledger --group=stockledger /data /keys
COPY --from=build /out/stockledger /usr/local/bin/stockledger
ENV STOCKLEDGER_DATA_DIR=/data
USER stockledger
WORKDIR /data
VOLUME /data
EXPOSE 7070
# `health` asks the address that the server listens on; a start may replay the log first.
HEALTHCHECK --interval=5s --timeout=5s --start-period=5m --retries=3 CMD ["stockledger", "health"]
ENTRYPOINT ["stockledger"]
CMD ["serve"]
