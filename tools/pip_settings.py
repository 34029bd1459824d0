# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print this machine's pip settings, those from the environment too, as one pip.conf.

ansible-test passes no variable on to the pip it runs, so that a file is the only way.
"""

from __future__ import annotations

import ast
import configparser
import os
import subprocess
import sys

# What pip also takes from variables that are not its own.
OTHERS = {"cert": ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), "proxy": ("https_proxy", "HTTPS_PROXY")}


def settings(listing: str, environment: dict[str, str]) -> configparser.ConfigParser:
    """Return what `pip config list` printed, with the variables of other programs below it."""
    config = configparser.ConfigParser(interpolation=None)
    config.add_section("global")
    for name, variables in OTHERS.items():
        for variable in variables:
            if environment.get(variable):
                config["global"][name] = environment[variable]
    entries = [line.split("=", 1) for line in listing.splitlines()]
    for key, value in sorted(entries, key=lambda entry: entry[0].startswith(":env:")):  # the environment wins
        section, name = key.replace(":env:", "global").split(".", 1)
        if name == "config-file":
            continue
        if not config.has_section(section):
            config.add_section(section)
        config[section][name] = ast.literal_eval(value)
    return config


if __name__ == "__main__":
    command = [sys.executable, "-m", "pip", "config", "list"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    config = settings(output, dict(os.environ))
    config["global"]["quiet"] = "2"  # only errors: the log is for what the checks find
    config.write(sys.stdout)
