# One image: bot, connectors, runbooks. Written without a container engine at hand: linted with hadolint, not yet built anywhere.
FROM python:3.11-slim

# Choose CPU wheels of torch with: --build-arg TOCSIN_PIP_ARGS="--extra-index-url ..."
ARG TOCSIN_PIP_ARGS=""
# What it can speak beside Slack: model vendors and OpenTelemetry (the extras of pyproject.toml).
ARG TOCSIN_EXTRAS="openai,anthropic,ollama,otel"
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1

# git reads the diffs of changes; it is the only program the bot itself calls. It comes as Debian has it today: security fixes included.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 tocsin && mkdir -p /data /config && chown tocsin /data /config

# The dependencies first, at the lock file's versions, so that a change of the code does not fetch them again.
WORKDIR /app
COPY requirements.lock pyproject.toml README.md ./
RUN mkdir bot connectors && touch bot/__init__.py connectors/__init__.py \
    && pip install ${TOCSIN_PIP_ARGS} --constraint requirements.lock ".[${TOCSIN_EXTRAS}]"

COPY bot bot
COPY connectors connectors
COPY runbooks runbooks
# hadolint ignore=DL3013
RUN pip install --no-deps --force-reinstall .

USER 10001
ENV TOCSIN_HOST=0.0.0.0 TOCSIN_PORT=8400 TOCSIN_DATA_DIR=/data
VOLUME ["/data", "/config"]
EXPOSE 8400
HEALTHCHECK --interval=30s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8400/healthz', timeout=2)"]
ENTRYPOINT ["tocsin", "--config", "/config"]
CMD ["serve"]
