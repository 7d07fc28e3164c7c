"""Which files the server hands out: those at an unguessable path, for a stated time, and no others."""

import http.client
import json
import os
import re
import socket
import stat
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

import app
from attattr_core import UserError
from attattr_core.ui import build_app

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = b"a sentence of one visitor"


def get(url: str, target: str) -> tuple[int, bytes]:
    """Asks for a path as it stands, which no library has tidied."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", target)
    answer = connection.getresponse()
    status, content = answer.status, answer.read()
    connection.close()
    return status, content


def upload(url: str, name: str = "mine.tsv") -> str:
    """Uploads a file as a visitor's browser does; gives its path on the server."""
    body = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="' + name.encode() + b'"\r\n'
        b"Content-Type: text/plain\r\n\r\n" + SECRET + b"\r\n--x--\r\n"
    )
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    connection.request("POST", "/gradio_api/upload", body, headers)
    (path,) = json.loads(connection.getresponse().read())
    connection.close()
    return path


FORBIDDEN = [
    "/etc/passwd",
    "//etc/passwd",
    "/etc/../etc/passwd",
    "%2Fetc%2Fpasswd",
    "%252Fetc%252Fpasswd",
    "..%2F..%2F..%2F..%2Fetc%2Fpasswd",
    "../../../../etc/passwd",
    "file:///etc/passwd",
    "/proc/self/environ",
    str(REPOSITORY / "app.py"),
    "app.py",
    "./app.py",
    "README.md",
    "requirements.txt",
    str(REPOSITORY / "assets" / "checkpoints" / "sst2" / "config.json"),
    "C:\\Windows\\win.ini",
    "%00/etc/passwd",
]


@pytest.mark.parametrize("path", FORBIDDEN)
def test_files_outside_are_never_served(app_url, path):
    status, content = get(app_url, f"/gradio_api/file={path}")
    assert 400 <= status < 500
    assert b"root:" not in content
    assert b"import" not in content


def test_a_visitors_file_needs_its_path_and_the_path_cannot_be_guessed(app_url):
    path = upload(app_url)
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    assert get(app_url, f"/gradio_api/file={path}") == (200, SECRET)
    name, digest, parent = Path(path).name, Path(path).parent.name, Path(path).parent.parent
    assert (name, parent, len(digest)) == ("mine.tsv", folder, 64)
    guesses = [
        folder,
        parent / digest,
        folder / name,
        folder / "*" / name,
        folder / ("0" * 64) / name,
        f"{path}/../../../../etc/passwd",
        f"{folder}/../../etc/passwd",
        f"{folder}/..%2f..%2fetc%2fpasswd",
    ]
    for guess in guesses:
        status, content = get(app_url, f"/gradio_api/file={guess}")
        assert 400 <= status < 500, guess
        assert SECRET not in content
        assert b"root:" not in content


def test_an_address_is_not_fetched_in_place_of_a_file(app_url):
    """Wherever it stands: Gradio would fetch it without a limit, into the memory and onto the disk."""
    client, folder = Client(app_url, verbose=False), Path(os.environ["GRADIO_TEMP_DIR"])
    before = set(folder.rglob("*"))
    for address in ("https://huggingface.co/large.parquet", "http://127.0.0.1:9/config", "https://example.org/x.tsv"):
        file = {"path": address, "meta": {"_type": "gradio.FileData"}}
        sentence = f"'{address}' is an address, which is not fetched here: download the file, then upload it."
        for asked in ({"model": "sst2", "file": file}, {"model": "sst2", "data": [file]}):
            with pytest.raises(AppError, match=re.escape(sentence)):
                client.predict(**asked, api_name="/head_importance")
    assert set(folder.rglob("*")) == before


def test_an_upload_that_breaks_off_leaves_nothing(app_url):
    folder, host = Path(os.environ["GRADIO_TEMP_DIR"]), urlsplit(app_url).netloc.split(":")
    before = set(folder.rglob("*"))
    last = time.monotonic() + 60
    with socket.create_connection((host[0], int(host[1]))) as connection:
        connection.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="mine.tsv"\r\n\r\n' + 1000 * SECRET
        )
        while set(folder.rglob("*")) == before and time.monotonic() < last:
            time.sleep(0.01)
        assert set(folder.rglob("*")) != before, "it has begun"
    while set(folder.rglob("*")) != before and time.monotonic() < last:
        time.sleep(0.01)
    assert set(folder.rglob("*")) == before


def test_the_folder_of_files_is_the_processs_own():
    folder = Path(app.FILES.name)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(folder.name.removeprefix("attattr-files-")) >= 8


def test_files_go_after_the_stated_time():
    page = build_app()
    _, url, _ = app.launch(page, seconds_kept=1, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    try:
        path = upload(url, "short-lived.tsv")
        assert get(url, f"/gradio_api/file={path}")[0] == 200
        last = time.monotonic() + 60
        while Path(path).exists() and time.monotonic() < last:
            time.sleep(0.2)
        assert not Path(path).exists()
        assert get(url, f"/gradio_api/file={path}")[0] == 403
    finally:
        page.close(verbose=False)


def test_no_session_is_written_to_a_file_that_others_could_open(app_url):
    client = Client(app_url, verbose=False)
    session = f"session_hash={client.session_hash}"
    for target in (f"/gradio_api/deep_link?{session}", "/gradio_api/deep_link/", "/gradio_api/process_recording"):
        assert get(app_url, target) == (404, b"Not found")
    assert not (Path(os.environ["GRADIO_TEMP_DIR"]) / "deep_links").exists()


def test_how_long_files_are_kept_is_an_option(monkeypatch):
    def read(*arguments):
        return app.read_seconds_kept(app.parse_arguments(list(arguments)))

    monkeypatch.delenv("ATTATTR_KEEP_SECONDS", raising=False)
    assert (read(), read("--keep-seconds", "60")) == (3600, 60)
    monkeypatch.setenv("ATTATTR_KEEP_SECONDS", "120")
    assert (read(), read("--keep-seconds", "60")) == (120, 60)
    monkeypatch.setenv("ATTATTR_KEEP_SECONDS", "for ever")
    for arguments in ((), ("--keep-seconds", "0"), ("--keep-seconds", "-5")):
        with pytest.raises(UserError, match=r"--keep-seconds \(or ATTATTR_KEEP_SECONDS\) is '"):
            read(*arguments)
