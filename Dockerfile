# The image of the one program. Build it with BuildKit, the default of Docker since 23:
#
#   docker build --tag stockledger .
#   docker run --publish 127.0.0.1:7070:7070 --volume stockledger:/data stockledger serve --listen 0.0.0.0:7070 --insecure
#
# Without arguments it serves inside the container only: what others can reach wants TLS, or `--insecure` and a reason. Here the
# published address is the one of this machine. A directory instead of a volume must belong to 10001:10001.
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
# `verify --projections` folds the log into temporary tables, as large as those in use: they go to the volume too.
ENV STOCKLEDGER_DATA_DIR=/data TMPDIR=/data
USER stockledger
WORKDIR /data
VOLUME /data
EXPOSE 7070
# A start may replay the log first. After that the container is well as long as the server answers, also while log or
# database are away: it goes on by itself then, and whoever starts sick containers again would only be in its way.
HEALTHCHECK --interval=5s --timeout=5s --start-period=5m --retries=3 CMD ["stockledger", "health", "--started"]
ENTRYPOINT ["stockledger"]
CMD ["serve"]
