# Images of decant, all from scratch. The last one is the default; `docker build --target NAME .` makes another.
#
#   decant            the agent image for injectors: the core as vault, bao and decant, and busybox for the start-up line
#   decant-bare       the core alone, for init containers and sidecars of one's own
#   decant-injector   the full build, for the webhook
#
# Pass --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct): every file gets that time, and two builds from one
# commit and one base image are the same.

# Debian 12 with a Rust toolchain; name it with its digest where images must be reproducible for years.
ARG BASE=rust:1.95-bookworm

FROM ${BASE} AS source
RUN apt-get update && apt-get install --yes --no-install-recommends busybox-static && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo fetch --locked

FROM source AS core
RUN cargo build --release --locked --no-default-features && cp target/*/release/decant /program
ARG SOURCE_DATE_EPOCH=0
RUN integration/image/rootfs decant /program /decant && integration/image/rootfs decant-bare /program /decant-bare

FROM source AS full
RUN cargo build --release --locked && cp target/*/release/decant /program
ARG SOURCE_DATE_EPOCH=0
RUN integration/image/rootfs decant-injector /program /decant-injector

FROM scratch AS decant-injector
COPY --from=full /decant-injector /
ENV PATH=/bin
USER 100:1000
ENTRYPOINT ["/bin/decant"]
LABEL org.opencontainers.image.title="decant-injector" \
  org.opencontainers.image.description="decant with all its commands, for the mutating webhook" \
  org.opencontainers.image.licenses="Apache-2.0" \
  decant.sbom="/usr/share/buildinfo/decant-injector.cdx.json"

FROM scratch AS decant-bare
COPY --from=core /decant-bare /
ENV PATH=/bin
USER 100:1000
ENTRYPOINT ["/bin/decant"]
LABEL org.opencontainers.image.title="decant-bare" \
  org.opencontainers.image.description="A small static replacement for vault agent, and nothing else" \
  org.opencontainers.image.licenses="Apache-2.0" \
  decant.sbom="/usr/share/buildinfo/decant-bare.cdx.json"

FROM scratch AS decant
COPY --from=core /decant /
ENV PATH=/bin
USER 100:1000
ENTRYPOINT ["/bin/decant"]
LABEL org.opencontainers.image.title="decant" \
  org.opencontainers.image.description="A small static replacement for vault agent, as agent image for injectors" \
  org.opencontainers.image.licenses="Apache-2.0 AND GPL-2.0-only" \
  decant.sbom="/usr/share/buildinfo/decant.cdx.json"
