# The tag names one patch release of Python on one release of Debian. It is not a digest: add one
# where a registry's word is not enough.
ARG PYTHON=3.13.14-slim-bookworm

FROM python:${PYTHON} AS build
COPY requirements/run.txt /requirements.txt
# Wheels only: nothing is compiled, so the image needs no compiler.
RUN python -m venv --without-pip /venv \
    && pip --python /venv/bin/python install --no-cache-dir --only-binary :all: \
        --require-hashes --requirement /requirements.txt
COPY connector /app/connector
COPY tiktok_simulator /app/tiktok_simulator
RUN /venv/bin/python -m compileall -q /app

FROM python:${PYTHON}
LABEL org.opencontainers.image.title="connector" \
    org.opencontainers.image.description="Connect TikTok accounts once, and stay connected."
RUN pip uninstall --yes pip \
    && groupadd --gid 10001 connector \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin connector \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /venv /venv
COPY --from=build /app /app
# /data is for the files that must survive a restart: the database and its keys (on SQLite), and the
# folder of the journal.
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CONNECTOR_HOST=0.0.0.0 \
    CONNECTOR_PORT=8080 \
    CONNECTOR_DATABASE=/data/connector.db \
    CONNECTOR_JOURNAL=/data/connector.journal
WORKDIR /app
USER 10001:10001
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['CONNECTOR_PORT'] + '/healthz', timeout=3)"]
ENTRYPOINT ["python", "-m", "connector"]
CMD ["serve"]
