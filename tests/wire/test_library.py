# SPDX-License-Identifier: Apache-2.0
"""libcommute-schema as its user sees it: installed into a folder, found by pkg-config, linked to the example program."""
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*words, **more):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, **more)
    assert "Sanitizer" not in done.stderr
    return done


@pytest.fixture(scope="module")
def installed(build, tmp_path_factory):
    """The folder of include, lib, share; what pkg-config says; flags that a build with sanitizers needs."""
    folder = tmp_path_factory.mktemp("installed")
    done = run("meson", "install", "-C", build, "--no-rebuild", "--destdir", folder)
    assert done.returncode == 0, done.stderr
    found = next(folder.rglob("commute-schema.pc"))
    environment = {**os.environ, "PKG_CONFIG_PATH": str(found.parent), "PKG_CONFIG_SYSROOT_DIR": str(folder)}
    options = {one["name"]: one["value"] for one in json.loads(run("meson", "introspect", build, "--buildoptions").stdout)}
    sanitizers = [] if options["b_sanitize"] == "none" else ["-fsanitize=" + options["b_sanitize"]]

    def flags(*words):
        done = run("pkg-config", *words, "commute-schema", env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()
    return folder, flags, sanitizers, found.parent.parent


@pytest.fixture
def files(tmp_path):
    (tmp_path / "schema.json").write_text('{"properties": {"day": {"type": "string", "format": "date"}}, "required": ["day"]}')
    (tmp_path / "good.json").write_text('{"day": "2020-02-29"}')
    (tmp_path / "bad.json").write_text('{"day": "2021-02-29"}')
    (tmp_path / "broken.json").write_text('{"day"')
    return tmp_path


def check(program, files, **environment):
    done = run(program, "schema.json", "good.json", "bad.json", "broken.json", cwd=files, env={**os.environ, **environment})
    good, bad, broken = done.stdout.splitlines()
    assert done.returncode == 1 and good == "good.json: valid"
    assert bad.startswith("bad.json: invalid: {") and "/properties/day/format" in bad
    assert broken == "broken.json: line 1, column 7 (byte 6): expected a colon behind the key"


def test_the_example_runs_with_the_shared_library(installed, files):
    _, flags, sanitizers, libraries = installed
    done = run("cc", "-Wall", "-Wextra", "-Werror", *sanitizers, ROOT / "examples/schema/check.c", "-o", files / "check",
               *flags("--cflags", "--libs"))
    assert done.returncode == 0, done.stderr
    assert "libcommute-schema.so" in run("ldd", files / "check").stdout
    check(files / "check", files, LD_LIBRARY_PATH=str(libraries))


def test_the_example_runs_with_the_static_library_beside_names_of_its_own(installed, files):
    _, flags, sanitizers, libraries = installed
    (files / "own.c").write_text("int json_parse(void); int json_parse(void) { return 1; }\n"
                                 "int arena_alloc(void); int arena_alloc(void) { return 2; }\n")
    done = run("cc", *sanitizers, ROOT / "examples/schema/check.c", files / "own.c", "-o", files / "check", *flags("--cflags"),
               libraries / "libcommute-schema.a", "-lm")
    assert done.returncode == 0, done.stderr
    assert "commute-schema" not in run("ldd", files / "check").stdout
    check(files / "check", files)


def test_only_what_the_header_declares_is_exported(installed):
    folder, _, _, libraries = installed
    header = (next(folder.rglob("commute-schema.h"))).read_text()
    for symbols in run("nm", "-D", "--defined-only", libraries / "libcommute-schema.so").stdout, \
            run("nm", "-g", "--defined-only", libraries / "libcommute-schema.a").stdout:
        names = {line.split()[2].split("@")[0] for line in symbols.splitlines() if len(line.split()) == 3}
        ours = {name for name in names if not name.startswith(("__asan", "__odr", "__ubsan", "__sanitizer", "_init", "_fini"))}
        assert len(ours) == 8 and all(name.startswith("commute_schema_") and name + "(" in header for name in ours), ours


def test_the_header_is_good_c_plus_plus(installed, files):
    _, flags, _, _ = installed
    (files / "check.cpp").write_text("#include <commute-schema.h>\n"
                                     "int main() {\n"
                                     "    commute_schema_options options = COMMUTE_SCHEMA_OPTIONS;\n"
                                     "    return options.assert_format || !commute_schema_version();\n"
                                     "}\n")
    done = run("c++", "-Wall", "-Wextra", "-Werror", "-c", files / "check.cpp", "-o", files / "check.o", *flags("--cflags"))
    assert done.returncode == 0, done.stderr


def test_options_without_their_size_are_refused_and_not_passed_over(installed, files):
    _, flags, sanitizers, libraries = installed
    (files / "size.c").write_text("""#include <commute-schema.h>
#include <stdio.h>
int main(void) {
    struct commute_schema_options options = {.assert_format = true};
    struct commute_schema *schema = NULL;
    struct commute_schema_error error;
    if (commute_schema_compile("{}", 2, &options, &schema, &error))
        return 1;
    puts(error.text);
    return error.code != COMMUTE_SCHEMA_ERROR_INVALID;
}
""")
    done = run("cc", *sanitizers, files / "size.c", "-o", files / "size", *flags("--cflags"), libraries / "libcommute-schema.a", "-lm")
    assert done.returncode == 0, done.stderr
    done = run(files / "size")
    assert done.returncode == 0 and "the options' size is 0" in done.stdout and "COMMUTE_SCHEMA_OPTIONS" in done.stdout


def test_manual_pages_are_installed(installed):
    folder = installed[0]
    assert next(folder.rglob("commute-schema.3*")) and next(folder.rglob("commute.1*"))
