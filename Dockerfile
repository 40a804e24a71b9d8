# localsr as a service: `docker compose up`, or
#   docker build -t localsr . && docker run --init -p 127.0.0.1:8000:8000 -e LOCALSR_TOKEN=... localsr
# With '.[serve,torch]' regions are faster where the CPU is in 16 bits; PIP_EXTRA_INDEX_URL may name where torch's CPU
# build lies, which is far smaller.
FROM python:3.12-slim

RUN useradd --create-home --uid 10001 localsr
WORKDIR /opt/localsr
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src ./src
ARG PIP_EXTRA_INDEX_URL
RUN pip install --no-cache-dir -c constraints.txt '.[serve]'

USER localsr
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz')"]
ENTRYPOINT ["localsr", "serve", "--host", "0.0.0.0"]
