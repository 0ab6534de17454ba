#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client that places orders: orders.py BASE_OF_RESERVATIONS BASE_OF_ITEMS COUNT [FIRST].

For each order it reads the item's price and has the item reserved. Its identity is its own: a repeat after a broken connection
carries the same one. What it has to know of commute is two base URLs, and that a reservation may be answered 201 (done) or
202 (accepted: it will be done)."""
import http.client
import json
import sys
import time
import urllib.parse

ATTEMPTS = 100


def call(base, method, path, body=None, identity=None):
    """Status and body. It tries again while nobody listens or the service says "not now"."""
    url = urllib.parse.urlsplit(base)
    headers = {"Content-Type": "application/json"} if body else {}
    if identity:
        headers["Idempotency-Key"] = identity
    for attempt in range(ATTEMPTS):
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        try:
            connection.request(method, url.path + path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            value = answer.read()
            if answer.status < 500:
                return answer.status, json.loads(value or b"null")
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise SystemExit(f"{method} {base}{path}: no answer after {ATTEMPTS} attempts")


def main():
    reservations, items, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    first = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    for order in range(first, first + count):
        item = order % 5 + 1
        _, seen = call(items, "GET", f"/items/{item}")
        status, _ = call(reservations, "POST", "/reservations", {"order_id": order, "item_id": item, "count": 1}, f"order-{order}")
        print(f"order {order}: price {seen['price']}, reservation {status}", flush=True)
        time.sleep(0.02)


if __name__ == "__main__":
    main()
