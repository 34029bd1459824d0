# SPDX-FileCopyrightText: 2026 The multihome.extrude authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Each command is a script in tools/ and runs as root or by sudo. Words for it: make units ARGS="-k routes"

# What `make test` runs, in this order: each is a script in tools/ and a command of its own. What stands on both sides of a
# plus runs side by side: a lab uses one processor.
IN_TURN := lint types ansible-lint docs-lint build units,units-pyroute2,sanity,molecule+stock acceptance
comma := ,
STEPS := $(subst $(comma), ,$(subst +, ,$(IN_TURN)))

RUN = @EXTRUDE_COMMAND="$(MAKECMDGOALS)" tools/as-root tools/$@.sh $(ARGS)

.DEFAULT_GOAL := help
.PHONY: bench links long help demo setup test clean fresh lock $(STEPS)

help: ## Show this list
	@sed -nE 's/^([a-z0-9-]+):[^#]*## (.*)/\1\t\2/p' Makefile | expand -t 18

demo: setup ## Build the lab, deploy, and show it working, with a provider cut
	$(RUN)

setup: ## Install what the commands need: Debian packages, Python tools, the link to the checkout
	$(RUN)

test: setup ## Run every test, with the seconds of each step
	$(RUN) $(IN_TURN)

lint: setup ## Check rules and form of Python, shell and YAML
	$(RUN)

types: setup ## Check the types of Python
	$(RUN)

units: setup ## Run the unit tests
	$(RUN)

units-pyroute2: setup ## Run those of modules and netlink with each supported version of pyroute2
	$(RUN)

sanity: setup ## Run all of ansible-test sanity
	$(RUN)

ansible-lint: setup ## Check playbooks and roles
	$(RUN)

docs-lint: setup ## Check the documentation of modules, filters and roles
	$(RUN)

build: setup ## Build the collection's archive
	$(RUN)

molecule: setup ## Run the Molecule scenarios in a lab of their own
	$(RUN)

bench: setup ## Measure the engine beside ip(8); leave the machine alone meanwhile
	$(RUN)

acceptance: setup ## Run the acceptance tests in the lab: make acceptance ARGS="-k sources"
	$(RUN)

links: setup ## Run those of the acceptance tests that are of links that come and go, or are encrypted
	$(RUN)

stock: setup ## Run the core of the acceptance tests (pytest's marker) on the stock Debian kernel, with nftables-backed iptables
	$(RUN)

long: setup ## Run the acceptance tests that take long, which make test leaves out: two hours
	$(RUN)

fresh: ## Prove a command in a fresh minimal Debian 12: make fresh ARGS="make test"
	$(RUN)

lock: setup ## Write the pins of indirect Python dependencies anew
	$(RUN)

clean: ## Remove the cache and the link
	$(RUN)
