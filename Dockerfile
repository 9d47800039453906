# One image: bot, connectors, runbooks. It was written without a container engine at hand, so it is not yet built anywhere.
FROM python:3.11-slim

# Choose CPU wheels of torch with: --build-arg TOCSIN_PIP_ARGS="--extra-index-url ..."
ARG TOCSIN_PIP_ARGS=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

# git reads the diffs of changes; it is the only program the bot itself calls.
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 tocsin && mkdir -p /data /config && chown tocsin /data /config

WORKDIR /app
COPY requirements.lock ./
RUN pip install ${TOCSIN_PIP_ARGS} "$(grep '^torch==' requirements.lock)" && pip install ${TOCSIN_PIP_ARGS} -r requirements.lock

COPY pyproject.toml README.md ./
COPY bot bot
COPY connectors connectors
COPY runbooks runbooks
RUN pip install --no-deps .

USER tocsin
ENV TOCSIN_HOST=0.0.0.0 TOCSIN_PORT=8400 TOCSIN_DATA_DIR=/data
VOLUME ["/data", "/config"]
EXPOSE 8400
HEALTHCHECK --interval=30s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8400/healthz', timeout=2)"]
ENTRYPOINT ["tocsin", "--config", "/config"]
CMD ["serve"]
