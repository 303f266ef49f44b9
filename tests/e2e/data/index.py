"""An index of Python packages that only one user may read. Prints its port, serves until killed.

Usage: `python index.py USER PASSWORD [CERTIFICATE_AND_KEY]`. Offers `e2e-private` 1.0, and nothing
else: whatever else is asked for is not there.
"""

import base64
import http.server
import io
import ssl
import sys
import zipfile

USER, PASSWORD = sys.argv[1:3]
NAME = "e2e_private-1.0-py3-none-any.whl"
WANTED = "Basic " + base64.b64encode((USER + ":" + PASSWORD).encode()).decode()


def wheel():
    about = "e2e_private-1.0.dist-info/"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("e2e_private.py", "FOUND = True\n")
        file.writestr(
            about + "METADATA", "Metadata-Version: 2.1\nName: e2e-private\nVersion: 1.0\n"
        )
        file.writestr(
            about + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(about + "RECORD", "")
    return content.getvalue()


PAGES = {
    "/simple/e2e-private/": ("text/html", '<a href="/files/{0}">{0}</a>'.format(NAME).encode()),
    "/files/" + NAME: ("application/octet-stream", wheel()),
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Authorization") != WANTED:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="e2e"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        kind, body = PAGES.get(self.path, ("", None))
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body or b"")

    do_HEAD = do_GET

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
