# SPDX-License-Identifier: Apache-2.0
"""tools/tidy itself: for each rule, small trees with one breach each, of which it must name exactly that rule, file and line."""
import pathlib
import re
import subprocess

import pytest

TIDY = pathlib.Path(__file__).resolve().parents[2] / "tools/tidy"
FILE_LINES, FUNCTION_LINES, COLUMNS = map(int, re.search(r"^FILE_LINES.* = (\d+), (\d+), (\d+)$", TIDY.read_text(), re.M).groups())
SPDX = "// SPDX-License-Identifier: Apache-2.0\n"

# A tree without a breach, into which the breaches are planted. What looks like one and is none is here on purpose.
CLEAN = {
    "src/meson.build": "files('main.c')\n",
    "src/main.c": SPDX + '#include "cli/cli.h"\n#include "daemon/daemon.h"\n#include <stdio.h>\nint main(void) { puts(""); }\n',
    "src/base/meson.build": "files('base.c', 'error.c')\n",
    "src/base/base.h": SPDX + "#define MUST_USE __attribute__((warn_unused_result))\n",
    "src/base/base.c": SPDX + '#include "base/base.h"\nvoid f(void) {\n        abort();\n}\n',
    "src/base/error.h": SPDX + "MUST_USE bool error_set(int code);\nvoid error_free(void);\n",
    "src/base/error.c": SPDX + '#include "base/error.h"\n// printf("no call") strcpy(a, b)\nchar *s = "sprintf(";\n'
                               "void g(void) {\n        (void)error_free();\n        snprintf(0, 0, s);\n}\n",
    "src/os/clock.h": SPDX + "#include <time.h>\n#include <sys/socket.h>\n",
    "src/json/json.h": SPDX + '#include "base/error.h"\n#include <string.h>\n',
    "src/convert/convert.h": SPDX + "#include <jq.h>\n",
    "src/log/meson.build": "files('kafka.c')\n",
    "src/log/log.h": SPDX,
    "src/log/record.h": SPDX,
    "src/log/log_priv.h": SPDX + "#include <sqlite3.h>\n",
    "src/log/kafka.c": SPDX + '#include "log/log_priv.h"\n#include <librdkafka/rdkafka.h>\n',
    "src/http/http.h": SPDX + '#include "json/json.h"\n#include <sys/epoll.h>\n',
    "src/proof/ledger.h": SPDX + '#include "log/record.h"\n',
    "src/gateway/lane.h": SPDX + '#include "proof/ledger.h"\n#include "log/log.h"\n',
    "src/cli/cli.h": SPDX + '#include "proof/ledger.h"\n',
    "src/daemon/daemon.h": SPDX + '#include "http/http.h"\n',
    "examples/shop/meson.build": "executable('shop', 'shop.c')\n",
    "examples/shop/http/http.h": SPDX,
    "examples/shop/shop.c": SPDX + '#include "http/http.h"\n#include <sqlite3.h>\n#include <sys/socket.h>\n',
    "tests/unit/log/meson.build": "files('test_log.c')\n",
    "tests/unit/log/test_log.c": SPDX + '#include "log/log_priv.h"\n',
    "tools/run": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n",
}


def lines(count):
    return "".join(f"int x{number};\n" for number in range(count))


def function(count):
    return "int long_one(int a,\n        int b) {\n" + "        a++;\n" * (count - 3) + "}\n"


# rule, file, line that must be named, what stands in the file after the SPDX line (so its first line is line 2)
PLANTED = [
    ("include-order", "src/base/x.h", 2, '#include "os/clock.h"\n'),
    ("include-order", "src/json/x.h", 2, '#include "http/http.h"\n'),
    ("include-order", "src/log/x.h", 3, '#include "base/base.h"\n#include "json/json.h"\n'),
    ("include-order", "src/http/x.h", 2, '#include "log/log.h"\n'),
    ("include-order", "src/http/x.h", 2, "#include <log/log.h>\n"),
    ("include-order", "src/proof/x.h", 2, '#include "log/log.h"\n'),
    ("include-order", "src/proof/x.h", 2, '#include "os/clock.h"\n'),
    ("include-order", "src/store/x.h", 2, '#include "registry/registry.h"\n'),
    ("include-order", "src/cli/x.h", 2, '#include "gateway/lane.h"\n'),
    ("include-order", "src/base/x.h", 2, '#include "base.h"\n'),
    ("include-order", "src/os/x.h", 2, '#include "../log/log.h"\n'),
    ("include-order", "src/log/x.h", 2, '#include "convert/convert.h"\n'),
    ("include-order", "src/schema/x.h", 2, '#include "convert/convert.h"\n'),
    ("jq-place", "src/json/x.h", 2, "#include <jv.h>\n"),
    ("jq-place", "src/model/x.h", 2, "#include <jq.h>\n"),
    ("include-order", "src/extra/x.h", 1, '#include "base/base.h"\n'),
    ("top-folder", "src/api/x.h", 2, '#include "daemon/daemon.h"\n'),
    ("top-folder", "src/daemon/x.h", 2, '#include "cli/cli.h"\n'),
    ("private-header", "src/store/x.h", 2, '#include "log/log_priv.h"\n'),
    ("private-header", "tests/wire/x.h", 2, '#include "log/log_priv.h"\n'),
    ("src-alone", "src/base/x.h", 2, '#include "../../tests/unit/x.h"\n'),
    ("src-alone", "src/base/x.h", 2, '#include "../../examples/shop/http/http.h"\n'),
    ("examples-alone", "examples/shop/x.h", 2, '#include "base/base.h"\n'),
    ("examples-alone", "examples/shop/x.h", 2, '#include "../../src/base/base.h"\n'),
    ("examples-alone", "examples/shop/more/meson.build", 2, "executable('x', include_directories: src_inc)\n"),
    ("own-header-first", "src/base/base.c", 2, '#include <stdio.h>\n#include "base/base.h"\n'),
    ("own-header-first", "src/log/kafka.c", 2, '#include <stdio.h>\n#include "log/log_priv.h"\n'),
    ("pure-folder", "src/json/x.h", 2, "#include <sys/types.h>\n"),
    ("pure-folder", "src/schema/x.h", 2, "#include <pthread.h>\n"),
    ("pure-folder", "src/schema/x.h", 2, "#include <time.h>\n"),
    ("pure-folder", "src/json/x.h", 2, "#include <fcntl.h>\n"),
    ("pure-folder", "src/json/x.h", 2, "#include <unistd.h>\n"),
    ("kafka-place", "src/gateway/x.h", 2, "#include <librdkafka/rdkafka.h>\n"),
    ("kafka-place", "src/log/more.h", 2, "#include <librdkafka/rdkafka.h>\n"),
    ("sqlite-place", "src/registry/x.h", 2, "#include <sqlite3.h>\n"),
    ("network-place", "src/gateway/x.h", 2, "#include <sys/epoll.h>\n"),
    ("network-place", "src/cli/x.h", 2, "#include <netinet/in.h>\n"),
    ("library-prints", "src/log/x.h", 3, "\nvoid f(void) { printf(0); }\n"),
    ("library-prints", "src/base/error.h", 2, "static void f(void) { abort(); }\n"),
    ("unsafe-call", "src/cli/x.h", 2, "static void f(char *a) { strcpy(a, a); }\n"),
    ("unsafe-call", "examples/shop/x.h", 2, "static int f(char *a) { return atoi(a); }\n"),
    ("ignored-result", "src/log/x.h", 3, "static void f(void) {\n        (void)error_set(1);\n}\n"),
    ("ignored-result", "tests/unit/x.h", 2, "static void f(void) { (void) error_set (1); }\n"),
    ("not-built", "src/base/x.c", 1, '#include "base/base.h"\n'),
    ("not-built", "tests/unit/log/test_x.c", 1, "int x;\n"),
    ("file-length", "src/base/x.h", FILE_LINES + 1, lines(FILE_LINES)),
    ("function-length", "src/base/x.h", 2, function(FUNCTION_LINES + 1)),
    ("line-length", "src/base/x.h", 2, "// " + "x" * (COLUMNS - 2) + "\n"),
    ("line-length", "tests/x.py", 2, "# " + "x" * (COLUMNS - 1) + "\n"),
    ("tab", "src/base/x.h", 3, "int x;\n\tint y;\n"),
    ("trailing-space", "src/base/x.h", 2, "int x; \n"),
    ("spdx", "src/base/x.h", 1, None),
    ("spdx", "tools/x.py", 1, None),
    ("spdx", "tools/other", 1, None),
]
WITHOUT_SPDX = {"src/base/x.h": "\nint x;\n", "tools/x.py": "x = 1\n", "tools/other": "#!/bin/sh\necho\n"}
ALLOWED = [
    ("src/base/x.h", lines(FILE_LINES - 1)),
    ("src/base/x.h", function(FUNCTION_LINES)),
    ("src/base/x.h", "// " + "x" * (COLUMNS - 3) + "\n"),
]


def write(root, files):
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def tidy(root):
    """The exit code, and (rule, file, line) of each breach it named."""
    done = subprocess.run([TIDY, root], capture_output=True, text=True, check=False)
    named = []
    for line in done.stdout.splitlines():
        path, number, name, _ = line.split(":", 3)
        named.append((name.strip(), path, int(number)))
    return done.returncode, named


def with_spdx(path, text):
    return ("#" + SPDX[2:] if path.endswith((".py", ".build")) else SPDX) + text


def test_a_clean_tree_has_no_breach(tmp_path):
    write(tmp_path, CLEAN)
    assert tidy(tmp_path) == (0, [])


@pytest.mark.parametrize("breach", PLANTED, ids=lambda breach: f"{breach[0]}:{breach[1]}")
def test_names_the_planted_breach_and_nothing_else(tmp_path, breach):
    name, path, line, text = breach
    write(tmp_path, {**CLEAN, path: WITHOUT_SPDX[path] if text is None else with_spdx(path, text)})
    assert tidy(tmp_path) == (1, [(name, path, line)])


@pytest.mark.parametrize("path, text", ALLOWED, ids=["file", "function", "line"])
def test_a_length_at_its_limit_is_no_breach(tmp_path, path, text):
    write(tmp_path, {**CLEAN, path: with_spdx(path, text)})
    assert tidy(tmp_path) == (0, [])


def test_every_rule_has_a_planted_breach():
    rules = subprocess.run([TIDY, "--rules"], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(rules) == sorted({breach[0] for breach in PLANTED})


def test_a_tree_without_sources_is_an_error(tmp_path):
    write(tmp_path, {"src/README": "empty\n"})
    assert tidy(tmp_path) == (2, [])
