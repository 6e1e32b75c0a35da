# The project's commands; `make` alone lists them. Everything is built under target/ and tests/servers/bin/.

CARGO ?= cargo
GO    ?= go

SERVERS := tests/servers/bin
PLUGINS := flb-filter_kube.so flb-in_kube_events.so out_victorialogs.so
ROSTER  := $(CURDIR)/target/roster.tsv
# Tests of a binary that run at once: more than there are cores, since they mostly wait for hosts and servers.
THREADS := $(or $(RUST_TEST_THREADS),8)

# A missing tool ends the run with the command that installs it.
define need
@command -v $(1) >/dev/null 2>&1 || { printf '%s is missing (%s). Install it with:\n    %s\n' \
    '$(1)' '$(2)' "$(3)" >&2; exit 1; }
endef
INSTALL_RUST = curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh
INSTALL_GO   = $(call packages,golang,golang,go,go)    (1.26.5 or newer, or from https://go.dev/dl/)
INSTALL_CC   = $(call packages,gcc libc6-dev,gcc,gcc musl-dev,gcc)
# The name of a package on Debian, Fedora, Alpine and macOS, for whichever this is.
packages = $(if $(shell command -v apt-get),sudo apt-get install $(1),$(if $(shell command -v dnf),sudo dnf \
    install $(2),$(if $(shell command -v apk),apk add $(3),$(if $(shell command -v brew),brew install $(4),your \
    system's package manager: $(1)))))

.PHONY: help build demo test bindings fuzz lint docs bench servers rust

help:
	@echo 'make demo     container logs through host, plugins and VictoriaLogs, shown as a table'
	@echo 'make build    the plugins, in target/release'
	@echo 'make test     every test that this machine can run, and which real parts took part'
	@echo 'make fuzz     five targets for FUZZ_SECONDS (60) each, from fuzz/corpus'
	@echo 'make lint     formatting, clippy, documentation, options reference'
	@echo 'make docs     write docs/options.md'
	@echo 'make bench    cost per record, and the built-in chain beside ours; wants a quiet machine'
	@echo 'make servers  etcd, kube-apiserver, VictoriaLogs and vlagent for tests and demo, built with Go'

rust:
	$(call need,$(CARGO),Rust,$(INSTALL_RUST))
	$(call need,cc,a C compiler: SQLite and zstd are linked in,$(INSTALL_CC))

# Fluent Bit tells a plugin's kind and name by its file's name; all three are one file.
build: rust
	$(CARGO) build --release --lib
	@cd target/release && for name in $(PLUGINS); do ln -sf libflb_kube.so $$name; done && ls -l $(PLUGINS)

demo: rust
	@if command -v $(GO) >/dev/null 2>&1; then $(MAKE) --no-print-directory $(SERVERS)/victoria-logs \
	    || echo 'VictoriaLogs could not be built: a stand-in serves.' >&2; fi
	$(CARGO) build --lib --example demo --example stand-in-host
	@target/debug/examples/demo

test: rust
	@mkdir -p target && rm -f $(ROSTER)
	@if command -v $(GO) >/dev/null 2>&1; then $(MAKE) --no-print-directory servers \
	    || echo 'Not every real server could be built: stand-ins serve.' >&2; fi
	@export FLB_KUBE_ROSTER=$(ROSTER) RUST_TEST_THREADS=$(THREADS); $(CARGO) test --workspace --no-fail-fast; status=$$?; \
	    $(MAKE) --no-print-directory bindings || status=1; \
	    sh tests/servers/summary.sh $(ROSTER); exit $$status

# BLESS=1 writes the bindings anew.
bindings: rust
	$(CARGO) test --manifest-path tests/bindings/Cargo.toml --target-dir target --lib

# Coverage-guided, on the stable compiler: rustc passes LLVM's own instrumentation on. Inputs that are findings, and
# what it learns, stay under target/fuzz.
fuzz: rust
	@CARGO='$(CARGO)' sh fuzz/run.sh

lint: rust
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps --document-private-items
	$(CARGO) test --test repo options_reference::

docs: rust
	BLESS=1 $(CARGO) test --test repo options_reference::

# The chain bench loads the plugins into a real host, so the shared object is made first.
bench: rust
	$(CARGO) build --release --lib
	$(CARGO) bench

servers: $(addprefix $(SERVERS)/,etcd kube-apiserver victoria-logs vlagent)

# The versions are those of the two modules' go.mod files. The first build takes some minutes.
INSTALLED_GO = $(call need,$(GO),Go: the servers are Go programs,$(INSTALL_GO))
GO_BUILD     = $(GO) build -p 2 -trimpath -o $(CURDIR)/$@
# The version of a module, asked in the folder of the module that requires it.
version      = $$($(GO) list -m -f '{{.Version}}' $(1))

$(SERVERS)/etcd: tests/servers/go.mod tests/servers/go.sum
	$(INSTALLED_GO)
	cd tests/servers && CGO_ENABLED=0 $(GO_BUILD) -ldflags '-s -w' go.etcd.io/etcd/server/v3
	@touch $@

$(SERVERS)/kube-apiserver: tests/servers/go.mod tests/servers/go.sum
	$(INSTALLED_GO)
	cd tests/servers && version=$(call version,k8s.io/kubernetes) && CGO_ENABLED=0 $(GO_BUILD) \
	    -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=$$version" \
	    k8s.io/kubernetes/cmd/kube-apiserver
	@touch $@

# With cgo, as VictoriaLogs' own releases for Linux are: the benchmark measures their C zstd, not the slower one in Go.
VICTORIA = github.com/VictoriaMetrics
$(SERVERS)/victoria-logs $(SERVERS)/vlagent: tests/servers/victoria/go.mod tests/servers/victoria/go.sum
	$(INSTALLED_GO)
	cd tests/servers/victoria && version=$(call version,$(VICTORIA)/VictoriaLogs) && CGO_ENABLED=1 $(GO_BUILD) \
	    $(if $(wildcard /lib/ld-musl-*),-tags musl) \
	    -ldflags "-s -w -X $(VICTORIA)/VictoriaMetrics/lib/buildinfo.Version=$(@F)-$$version" \
	    $(VICTORIA)/VictoriaLogs/app/$(@F)
	@touch $@
