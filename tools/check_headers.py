#!/usr/bin/env python3
"""Checks that each header compiles by itself: the public ones with Clang and GCC, those of src/ with Clang. Each is
compiled to an object that goes nowhere, for ccache remembers compilations and no syntax checks. Headers that the build makes
are made for it, and checked too.

usage: check_headers.py [TREE]
"""
import concurrent.futures
import glob
import os
import subprocess
import sys

FLAGS = ["-std=c++23", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers", "-O0", "-c"]
COMPILERS = ("clang++-19", "g++-12")
GENERATOR = "src/kafka/generate/generate.py"
GENERATED = "build/check/generated"


def compile_alone(tree, compiler, folder, header):
    """None, or what the compiler said."""
    includes = [f"-I{os.path.join(tree, name)}" for name in ("include", "src", GENERATED)[: 1 if folder == "include" else 3]]
    alone = os.path.join(tree, "build/check/alone", compiler, os.path.relpath(header, tree))
    os.makedirs(os.path.dirname(alone), exist_ok=True)
    with open(alone + ".cc", "w", encoding="utf-8") as source:
        source.write(f'#include "{os.path.relpath(header, os.path.join(tree, folder))}"\n')
    command = ["ccache", compiler, *FLAGS, *includes, alone + ".cc", "-o", alone + ".o"]
    run = subprocess.run(command, capture_output=True, text=True)
    return None if run.returncode == 0 else f"{header} does not compile by itself with {compiler}:\n{run.stderr}"


def make_generated(tree):
    if os.path.exists(os.path.join(tree, GENERATOR)):
        command = [sys.executable, "-B", os.path.join(tree, GENERATOR), os.path.join(tree, "src/kafka"), os.path.join(tree, GENERATED)]
        subprocess.run(command, check=True)


def check_tree(tree):
    make_generated(tree)
    work = []
    for folder, compilers in (("include", COMPILERS), ("src", COMPILERS[:1]), (GENERATED, COMPILERS[:1])):
        for header in sorted(glob.glob(os.path.join(tree, folder, "**", "*.h"), recursive=True)):
            work.extend((tree, compiler, folder, header) for compiler in compilers)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [problem for problem in pool.map(lambda item: compile_alone(*item), work) if problem]


def main():
    problems = check_tree(sys.argv[1] if len(sys.argv) > 1 else ".")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
