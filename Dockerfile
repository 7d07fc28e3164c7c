# The app on a plain server: docker build -t attattr . && docker run -p 7860:7860 attattr
FROM python:3.12-slim

# Options for pip where it takes PyTorch: pytorch.org says which give its CPU build, several GB smaller.
ARG TORCH_OPTIONS=""

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860

RUN useradd --create-home app && mkdir -p /home/app/.cache/huggingface && chown -R app:app /home/app/.cache
WORKDIR /home/app/attattr

COPY requirements.txt .
RUN pip install "$(grep '^torch' requirements.txt)" $TORCH_OPTIONS && pip install -r requirements.txt
COPY --chown=app:app . .

USER app
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]
# Without a shell between them, so that "docker stop" reaches Python.
CMD ["python", "app.py"]
