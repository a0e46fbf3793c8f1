# One image; the command says what it is: `up` (web and cluster in one, the default), `web` or `cluster`.
FROM python:3.11-slim-bookworm AS build

WORKDIR /app
RUN python -m venv /opt/venv
COPY requirements.txt .
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY . .
# The key is thrown away with this stage: collecting files asks for one and uses it for nothing.
RUN /opt/venv/bin/pybabel --quiet compile --directory=locale --domain='django djangojs' \
    && SECRET_KEY=only-for-collectstatic DATA_DIR=/tmp /opt/venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && /opt/venv/bin/python -m compileall -q dashboard triggers \
    && rm -rf .made


FROM python:3.11-slim-bookworm

RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin events \
    && install -d -o events -g events /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

# HOST: inside a container every address is meant; what is reachable from outside, the published ports say.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/data

WORKDIR /app
USER 10001
VOLUME /data
EXPOSE 8000

# Asks by the machine's own name, which ALLOWED_HOSTS always lets in. A container that runs only `cluster` has no
# page to ask for: switch its health check off, as compose.yaml does.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=4)"]

ENTRYPOINT ["python", "manage.py"]
CMD ["up"]
