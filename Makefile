# The front door: `make` alone lists what one can do.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

# Ports are free ones unless asked for: make demo HTTP_PORT=8042 DIMSE_PORT=11112
PACS ?=
HTTP_PORT ?= 0
DIMSE_PORT ?= 0
CONFIG ?= config.json
ROUNDS ?= 5
CUTS ?= 50

##@ Start here
demo: ready ## A hospital on your desk: one box and a simulated PACS (or PACS=AETITLE@host:port); Ctrl-C ends it
	@exec node src/sim.ts demo --pacs=$(PACS) --http-port=$(HTTP_PORT) --dimse-port=$(DIMSE_PORT)

demo-update: ready ## An appliance in QEMU takes a signed update from the vendor's server, then comes back from a broken one; half an hour, root
	@exec node os-image/qemu/demo-update.ts

test: peers check demo-smoke image-parts unit fuzz test-update test-image ## Everything that CI checks: set-up, check, tests against real peers, fuzzing, an appliance's life in QEMU; under an hour, root

##@ Every day
box: ready ## One box with your own settings: CONFIG=config.json
	@NODE_COMPILE_CACHE=node_modules/.cache/node MALLOC_MMAP_THRESHOLD_=1048576 exec node --max-semi-space-size=1 --initial-old-space-size=48 --max-old-space-size=192 src/drimbox.ts --config=$(CONFIG)

fleet: ready ## The vendor's server (docs/fleet.md) with your own settings: CONFIG=fleet.json
	@exec node src/fleet.ts --config=$(CONFIG)

check: ready ## Types, format, lint, import direction, unused code and dependencies; under a minute
	tsc -p .
	tsc -p test/journeys/viewer
	eslint .
	knip

unit: ready ## Tests, those against real peers included (a peer that isn't installed is skipped by name); what fails beside others is named and run once more alone
	@mkdir -p var; rm -f var/unit.left
	tap run --reporter=terse --save=var/unit.left || { test -s var/unit.left && sed 's/^/once more, alone: /' var/unit.left && tap run --reporter=terse --jobs=1 --save=var/unit.left; }

test-update: ready ## The update module under Mender's real client, with CUTS=50 power cuts at random moments; minutes
	CUTS=$(CUTS) tap run --reporter=terse --timeout=3600 test/appliance/update.test.ts

fuzz: ready ## Broken PDUs, broken data sets and broken pixels, a minute each or less
	node test/fuzz/pdu.ts --seconds=60
	node test/fuzz/elements.ts --seconds=60
	node test/fuzz/pixels.ts --seconds=30

demo-smoke: ready ## Starts the demo, reads one study over DICOMweb, checks every byte, stops
	node scripts/demo-smoke.ts

##@ The image
image-parts: peers ## What images and tests of updates are made with: the builder, test keys, Mender's client (compiled once: eight minutes); root
	os-image/debian/builder.sh
	os-image/keys/make.sh
	os-image/mender/peer.sh

image-quick: peers ## The appliance's image from Debian 13's packages, to var/image/quick; three minutes once its builder exists, root
	node os-image/build.ts

image-run: ready ## Boots it in QEMU with Secure Boot and a software TPM, prints its addresses; Ctrl-C pulls the plug (RUN=--fresh, RUN=--journal)
	@exec node os-image/qemu/run.ts $(RUN)

test-image: peers ## The life of an appliance in QEMU: boots, images, power cuts, updates, a broken one, a flipped bit; 25 minutes, root
	node os-image/build.ts --out=var/image/test --over=test/image/over/probe
	node os-image/build.ts --out=var/image/test-2 --version=0.2.0 --release=2 --over=test/image/over/probe
	node os-image/build.ts --out=var/image/test-3 --version=0.3.0 --release=3 --over=test/image/over/probe --over=test/image/over/broken-service
	unshare --net sh -c 'ip link set lo up; exec tap run --reporter=terse --timeout=5400 test/image/vm/boot.ts'

test-image-full: peers ## What test-image leaves out: bad kernel images, a stolen disk, hangs, a full disk, the TPM, a reset, CUTS=50 power cuts; hours, root (ONLY=hung)
	node os-image/build.ts --out=var/image/test --over=test/image/over/probe
	node os-image/build.ts --out=var/image/test-2 --version=0.2.0 --release=2 --over=test/image/over/probe
	node os-image/build.ts --out=var/image/test-hung --version=0.4.0 --release=4 --over=test/image/over/probe --over=test/image/over/hung-boot
	node os-image/build.ts --out=var/image/test-lynis --over=test/image/over/probe --over=$$(test/image/over/lynis.sh)
	unshare --net sh -c 'ip link set lo up; exec node test/image/vm/full/delivered.ts'
	set -e; for part in $(or $(ONLY),tampered stolen tpm scan lynis hung cuts); do \
	  CUTS=$(CUTS) unshare --net sh -c "ip link set lo up; exec tap run --reporter=terse --timeout=50000 test/image/vm/full/$$part.ts"; done

image-twice: peers ## The image built twice from its packages, and what is delivered compared bit by bit; three minutes, root
	os-image/twice.sh

image: ready ## The image by Buildroot (BOARD=x86-64|arm64, SOURCES=upstream|debian, REDUCED=1, BUILDROOT=archive); hours
	os-image/buildroot.sh

buildroot-check: ready ## The Buildroot recipe without building it: symbols, digests, style, bill of materials; a minute
	os-image/external/check.sh

test-buildroot: peers ## The reduced set out of Debian's source packages, from nothing, and boots it; an hour and a half, root
	SOURCES=debian REDUCED=1 os-image/buildroot.sh
	node os-image/qemu/run.ts --image=var/image/buildroot-x86-64 --fresh --once --https-port=9443 --dimse-port=21112

sbom: ready ## Bill of materials of the image last built, its licences against the policy, to var/sbom; seconds
	node scripts/sbom.ts

##@ Figures
bench: peers ## Speed and memory beside DCMTK, Orthanc, nginx and dcmjs-dimse, into docs/performance.md; ROUNDS=5, three quarters of an hour
	node scripts/bench/bench.ts --rounds=$(ROUNDS)

##@ Pages made from the code (tests compare them)
pages: ready ## The conformance statement, the OpenAPI document and the table of faults
	node scripts/conformance.ts
	node scripts/openapi.ts
	node test/faults/page.ts

hardening: ready ## docs/hardening.md: how far everything is closed; TREE=, KERNEL=, OWN_KERNEL=, CMDLINE=, CHECKER= and LYNIS= for what needs an image
	node scripts/hardening.ts $(if $(TREE),--tree=$(TREE)) $(if $(KERNEL),--kernel=$(KERNEL)) $(if $(OWN_KERNEL),--own-kernel=$(OWN_KERNEL)) $(if $(CMDLINE),--cmdline=$(CMDLINE)) $(if $(CHECKER),--checker=$(CHECKER)) $(if $(LYNIS),--lynis=$(LYNIS))

##@ Set-up (the others do it by themselves)
ready:
	@scripts/setup.sh --npm

peers: ## Installs the real peers that the tests talk to (Debian packages: DCMTK, GDCM, Orthanc, nginx, Chromium)
	@scripts/setup.sh

clean: ## Removes what was generated; packages stay
	rm -rf var .tap

help: ## This list
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

export BOARD SOURCES REDUCED BUILDROOT

.PHONY: hardening demo demo-update fleet test box check unit test-update fuzz demo-smoke image-parts image-quick image-run image-twice image buildroot-check test-image test-buildroot sbom bench pages ready peers clean help
