# syntax=docker/dockerfile:1

# The stage that compiles. scripts/build-as-image.sh runs the commands of its RUN lines in a clean folder, for machines without Docker.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build

# First the dependencies alone, behind empty sources: this layer is made anew only when a manifest or the lock file changes.
COPY Cargo.toml Cargo.lock ./
COPY loadtest/Cargo.toml loadtest/Cargo.toml
RUN mkdir -p src loadtest/src tests/it \
    && for file in src/main.rs loadtest/src/main.rs tests/it/main.rs; do echo 'fn main() {}' > "$file"; done \
    && : > src/lib.rs \
    && cargo build --release --locked --package backchannel --bin backchannel

COPY src src
COPY lua lua
COPY vendor vendor
COPY docs docs
COPY loadtest loadtest
COPY scripts scripts
# 1: guided by a profile of its own load, which takes a fifth of the instructions from each request, and compiling everything twice more.
ARG PROFILE_GUIDED=0
# Newer than the empty sources, whatever time the files carry: cargo compares times.
RUN touch src/main.rs src/lib.rs loadtest/src/main.rs \
    && if [ "${PROFILE_GUIDED:-0}" = 1 ]; then scripts/build-guided.sh; \
       else cargo build --release --locked --package backchannel --bin backchannel && install -D -t target/guided target/release/backchannel; fi \
    && ./target/guided/backchannel --version

# glibc, certificates of public authorities and a user without rights; no shell, no package manager: about 25 MB, and little that could need a patch.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="Backchannel" \
      org.opencontainers.image.description="The message bus that AI agents use to hand work to each other" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /build/target/guided/backchannel /usr/local/bin/backchannel
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 8080
# SIGTERM begins the stop in order. Nothing is written to the file system: run it with --read-only.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=10s --retries=3 \
    CMD ["/usr/local/bin/backchannel", "healthcheck", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["/usr/local/bin/backchannel"]
CMD ["serve"]
