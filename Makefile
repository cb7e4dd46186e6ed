# What can be done with this repository. `make` alone lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# Where `make push` pushes the image, and a file with that registry's CA where the system lacks it.
IMAGE ?=
CA ?=

# Tools are pinned here; `go run` and npm fetch them when they are first used.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.8.0
GOTESTSUM_VERSION := v1.13.0
GITLAB_CI_LOCAL_VERSION := 4.61.1

# All builds are alike, so that they share what is compiled, and need no C compiler. Only tests
# with the race detector, and the lab's simulated GPU driver, need one.
export CGO_ENABLED := 0
BUILD := $(GO) build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)'

REPORTS := $(CURDIR)/test-report
LAB := .lab/bin/lab
TOOLS := $(CURDIR)/.cache/tools
GOTESTSUM := $(TOOLS)/gotestsum-$(GOTESTSUM_VERSION)/gotestsum
GITLAB_CI_LOCAL := $(TOOLS)/gitlab-ci-local-$(GITLAB_CI_LOCAL_VERSION)/node_modules/.bin/gitlab-ci-local

# Packages of the lab that link Kubernetes itself are left to the lab's own build.
LAB_LIGHT = $$($(GO) list ./... | grep -v -e '/lab/kube$$')

# $(call gotest,NAME,ARGUMENTS): go test with its results in test-report/NAME.json and NAME.xml.
gotest = $(GOTESTSUM) --format=pkgname --format-hide-empty-pkg --jsonfile=$(REPORTS)/$(1).json --junitfile=$(REPORTS)/$(1).xml -- $(2)

##@ To look at it

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: build ## Bring the lab up, check it, and say where the report is (root; installs what is missing)
	@$(LAB) up --install
	code=0
	bin/runner --kubeconfig .lab/kubeconfig --answers .lab/answers.yaml --output-dir conformance-report || code=$$?
	echo
	case $$code in
	0) echo "Exit code 0: every item that can be met here is met." ;;
	4) echo "Exit code 4: nothing failed; some items have no check yet, or need somebody's eye. The list above names them." ;;
	*) echo "Exit code $$code: the lab is not as its answers file says; the list above says why."; exit $$code ;;
	esac
	echo "Report:  conformance-report/junit.xml (for GitLab), conformance-report/report.json (for programs)"
	echo
	echo "Break something, and see it found:"
	echo "  $(LAB) break volume-loses-data"
	echo "  bin/runner --kubeconfig .lab/kubeconfig --answers .lab/answers.yaml --focus=storage"
	echo "  $(LAB) mend"
	echo "The lab has no ingress controller, so that items about it are not answered. With Traefik, whose first build takes about 8 minutes:"
	echo "  $(LAB) up --full"
	echo "Take the lab down: make lab-down"

##@ To build

.PHONY: build
build: build-runner build-lab ## Build bin/runner, bin/probe, bin/probe-gpu and .lab/bin/lab

.PHONY: build-runner
build-runner: ## Build bin/runner, bin/probe and bin/probe-gpu
	@echo "building bin/runner, bin/probe and bin/probe-gpu (the first time takes minutes, later ones seconds)"
	$(BUILD) -o bin/ ./cmd/runner ./cmd/probe ./cmd/probe-gpu

.PHONY: build-lab
build-lab: ## Build .lab/bin/lab; `lab up` builds Kubernetes
	@echo "building $(LAB)"
	mkdir -p .lab/bin
	cd cmd/lab && $(BUILD) -o $(CURDIR)/$(LAB) .

.PHONY: image
image: ## Make the image as an OCI layout in bin/image, without Docker
	@$(GO) run -trimpath ./cmd/image --version $(VERSION)

.PHONY: push
push: ## Make the image and push it to IMAGE=host/path:tag (CA=file, CI_REGISTRY_USER, CI_REGISTRY_PASSWORD)
	@[ -n "$(IMAGE)" ] || { echo "push where? make push IMAGE=registry.example/path:tag"; exit 2; }
	$(GO) run -trimpath ./cmd/image --version $(VERSION) --push "$(IMAGE)" --ca "$(CA)"

.PHONY: generate
generate: ## Write the generated files: the JSON Schema of the answers file
	@$(GO) generate ./...

.PHONY: clean
clean: ## Remove what was built and reported; the lab and its programs stay (make lab-clean)
	@rm -rf bin conformance-report $(REPORTS) .gitlab-ci-local

##@ The lab

.PHONY: lab-up
lab-up: build-lab ## Bring the lab up (root)
	@$(LAB) up --install

.PHONY: lab-full
lab-full: build-lab ## Bring the lab up with an ingress controller, Traefik, whose first build takes about 8 minutes (root)
	@$(LAB) up --full --install

.PHONY: lab-down
lab-down: build-lab ## Take the lab down; what was built stays
	@$(LAB) down

.PHONY: lab-clean
lab-clean: build-lab ## Take the lab down and remove what was built for it
	@$(LAB) down --all

##@ To test

.PHONY: test
test: ## Test everything: unit tests with the race detector, lint, the lab (root)
	@rm -rf $(REPORTS); mkdir -p $(REPORTS)
	failed=()
	for part in test-race lint test-lab; do
		echo "== $$part"
		$(MAKE) $$part || failed+=($$part)
	done
	[ $${#failed[@]} = 0 ] || echo "failed: $${failed[*]}"
	$(MAKE) test-count
	[ $${#failed[@]} = 0 ]

.PHONY: test-unit
test-unit: $(GOTESTSUM) ## Test what needs neither root nor a cluster, in a minute
	@mkdir -p $(REPORTS)
	failed=0
	$(call gotest,unit,-trimpath ./...) || failed=1
	cd cmd/lab && $(call gotest,unit-lab,-trimpath $(LAB_LIGHT)) || failed=1
	exit $$failed

.PHONY: test-race
test-race: $(GOTESTSUM)
	@mkdir -p $(REPORTS)
	failed=0
	CGO_ENABLED=1 $(call gotest,unit,-race ./...) || failed=1
	cd cmd/lab && $(call gotest,unit-lab,-trimpath $(LAB_LIGHT)) || failed=1
	exit $$failed

.PHONY: test-lab
test-lab: build $(GOTESTSUM) $(GITLAB_CI_LOCAL) ## Test against the lab: drivers, healthy runs, faults, pipelines; takes it down (root)
	@mkdir -p $(REPORTS)
	trap 'cp -r .lab/log $(REPORTS)/lab-log 2>/dev/null || true; $(LAB) down >$(REPORTS)/lab-down.log 2>&1 || { cat $(REPORTS)/lab-down.log; exit 1; }' EXIT
	$(LAB) up --full --install
	# The tests would take the lab down between them.
	export LAB_KEEP=1 GITLAB_CI_LOCAL=$(GITLAB_CI_LOCAL)
	failed=0
	(cd cmd/lab && $(call gotest,csi,-trimpath -tags lab -count=1 ./csi/... ./dns ./ingress)) || failed=1
	(cd cmd/lab && $(call gotest,policies,-trimpath -tags lab -count=1 ./policy/...)) || failed=1
	# One package after the other: they share one lab.
	$(call gotest,lab,-trimpath -tags lab -count=1 -p 1 -timeout 60m ./test/...) || failed=1
	exit $$failed

# A package counts as one failed test where it failed without one, as it does when it does not compile.
.PHONY: test-count
test-count:
	@cat $(REPORTS)/*.json | awk '
		/"Action":"(pass|fail|skip)"/ {
			match($$0, /"Action":"[a-z]+"/); action = substr($$0, RSTART + 10, 4)
			match($$0, /"Package":"[^"]*"/); package = substr($$0, RSTART + 11, RLENGTH - 12)
			if ($$0 ~ /"Test":/) { count[action]++; if (action == "fail") explained[package] = 1 }
			else if (action == "fail") broken[package] = 1
		}
		END {
			for (package in broken) if (!(package in explained)) count["fail"]++
			printf "%d passed, %d failed, %d skipped\n", count["pass"], count["fail"], count["skip"]
		}'

.PHONY: lint
lint: ## go vet, staticcheck, govulncheck
	@failed=0
	for module in . cmd/lab; do
		packages=$$(cd $$module && echo $(LAB_LIGHT))
		(cd $$module && $(GO) vet -trimpath -tags lab $$packages && echo "go vet: $$module is clean") || failed=1
		(cd $$module && $(GO) run -trimpath $(STATICCHECK) -tags lab $$packages && echo "staticcheck: $$module is clean") || failed=1
	done
	$(MAKE) vulnerabilities || failed=1
	exit $$failed

.PHONY: vulnerabilities
vulnerabilities:
	@output=$$($(GO) run -trimpath $(GOVULNCHECK) ./cmd/runner ./cmd/probe ./cmd/probe-gpu 2>&1) && { echo "govulncheck: no known vulnerability is called"; exit; }
	case $$output in
	*"fetching vulnerabilities: "*) echo "govulncheck: SKIPPED, the vulnerability database cannot be reached from here: $${output%%$$'\n'*}" ;;
	*) echo "$$output"; exit 1 ;;
	esac

$(GOTESTSUM):
	@GOBIN=$(@D) $(GO) install -trimpath gotest.tools/gotestsum@$(GOTESTSUM_VERSION)

$(GITLAB_CI_LOCAL):
	@for program in npm rsync; do command -v $$program >/dev/null || { echo "$$program is missing; gitlab-ci-local, which runs the pipelines, needs it: apt-get install nodejs npm rsync"; exit 1; }; done
	npm install --no-audit --no-fund --silent --prefix $(TOOLS)/gitlab-ci-local-$(GITLAB_CI_LOCAL_VERSION) gitlab-ci-local@$(GITLAB_CI_LOCAL_VERSION)

.PHONY: bench
bench: build ## Measure what has a limit: time against bare client-go, memory, CPU, sizes, lab up (root)
	@$(LAB) up --full --install
	$(GO) run -trimpath ./test/bench -lab
