#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A service that executes reservations and owns the items: stock.py PORT. It knows nothing of commute.

POST /reservations {"order_id", "item_id", "count"} reserves. The same Idempotency-Key again changes nothing, and is answered as the
first time with Idempotent-Replayed: true. POST /probe does the same and reserves nothing. GET /reservations lists what was executed.
GET /items/{item_id}, PUT /items/{item_id} {"price"} and GET /items?after={cursor} are its data. All of it is kept in memory."""
import http.server
import json
import sys
import threading
import urllib.parse

LOCK = threading.Lock()
RESERVATIONS = []                       # in the order in which they were executed
ANSWERS = {}                            # Idempotency-Key -> the first answer
ITEMS = {number: {"item_id": number, "price": 100 * number} for number in range(1, 6)}
PAGE = 2


class Stock(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def give(self, status, value, replayed=False):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if replayed:
            self.send_header("Idempotent-Replayed", "true")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")

    def do_HEAD(self):
        self.give(200, {})

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        with LOCK:
            if url.path == "/reservations":
                return self.give(200, RESERVATIONS)
            if url.path == "/items":
                after = int(urllib.parse.parse_qs(url.query).get("after", ["0"])[0] or 0)
                page = [ITEMS[number] for number in sorted(ITEMS) if number > after][:PAGE]
                return self.give(200, {"items": page, "next": page[-1]["item_id"] if len(page) == PAGE else None})
            item = ITEMS.get(int(url.path.rpartition("/")[2])) if url.path.startswith("/items/") else None
            return self.give(200, item) if item else self.give(404, {"error": "no such item"})

    def do_PUT(self):
        try:
            number, price = int(self.path.rpartition("/")[2]), self.body()["price"]
        except (ValueError, KeyError, TypeError):
            return self.give(400, {"error": "expected PUT /items/NUMBER {\"price\": NUMBER}"})
        with LOCK:
            ITEMS[number] = {"item_id": number, "price": price}
            return self.give(200, ITEMS[number])

    def do_POST(self):
        try:
            value, identity = self.body(), self.headers.get("Idempotency-Key")
        except ValueError:
            return self.give(400, {"error": "not JSON"})
        with LOCK:
            if identity in ANSWERS:
                return self.give(201, ANSWERS[identity], replayed=True)
            answer = {}
            if self.path == "/reservations":
                RESERVATIONS.append(value)
                answer = {"reservation": len(RESERVATIONS)}
            if identity:
                ANSWERS[identity] = answer
            return self.give(201, answer)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Stock).serve_forever()
