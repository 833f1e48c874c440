# Every target works as the only command typed on a Debian 12 with Go: what is
# missing is installed once. `make help` lists the targets.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# hraban/opus links libopusfile unless told not to. Building needs no git.
TAGS := nolibopusfile
export GOFLAGS := $(GOFLAGS) -buildvcs=false -tags=$(TAGS)

FUZZTIME ?= 20s

# The folder of each generator, and what it writes.
ASM := internal/_asm/curve448:internal/curve448/field_amd64.s internal/_asm/modexp:internal/modexp/montgomery_amd64.s \
	internal/_asm/processor:internal/processor/processor_amd64.s \
	media/protect/_asm/cm:media/protect/internal/cm/kernels_amd64.s \
	media/protect/_asm/gcm:media/protect/internal/gcm/kernel_amd64.s

LINT_VERSION := v2.15.0
LINT := bin/tools/golangci-lint-$(LINT_VERSION)

.PHONY: help setup setup-interop build run test test-avx512 test-long race fuzz mutate lint asm asm-check consttime bench bench-frame bench-quality bench-srtp interop clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile | expand -t 24

setup: ## install gcc, libc6-dev, libopus-dev and pkg-config if missing
	@scripts/setup

setup-interop: ## the same for the programs that make interop calls
	@scripts/setup interop

build: setup ## build every command into bin/
	go build -o bin/ ./cmd/...

run: build ## two phones call each other on this machine and measure it
	bin/sotto demo

test: setup ## go vet and every test in its short form
	go vet ./...
	scripts/gotest ./...
	scripts/gotest -tags=$(TAGS),purego ./internal/curve448 ./internal/modexp ./zrtp/internal/kex ./media/protect/... ./internal/processor ./engine/realtime

# The first two tiers run anywhere; the two tests are of bookkeeping, and long.
AVX512_SKIP := ^Test(Guess|Window)$$|/^(go|aesni)$$|//^(go|aesni)$$

test-avx512: ## what is written for AVX-512, emulated where the processor has none
	go run ./internal/avx512 -skip '$(AVX512_SKIP)' ./media/protect ./media/protect/internal/cm ./media/protect/internal/gcm

test-long: setup ## every test in its long form: many more seeds, some hours
	SOTTO_LONG=1 scripts/gotest -timeout 6h ./...

race: setup ## every test under the race detector
	scripts/gotest -race -timeout 30m ./... # media takes some 5 minutes of two quiet cores

fuzz: setup ## every fuzz target for FUZZTIME, 20s unless set
	scripts/fuzz $(FUZZTIME)

mutate: setup ## switch off each security check in turn: a test must notice
	go run ./internal/mutate

lint: setup $(LINT) ## gofmt, golangci-lint, go mod tidy, house rules
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(LINT) run
	go mod tidy -diff
	$(MAKE) --no-print-directory asm-check
	go test ./internal/house/

asm: ## write the assembly anew, with the generators in the folders _asm
	@export GOFLAGS=; for pair in $(ASM); do \
		go -C $${pair%%:*} run . >$${pair#*:}; done

asm-check: ## refuse assembly that differs from what make asm would write
	@export GOFLAGS=; for pair in $(ASM); do \
		go -C $${pair%%:*} vet .; go -C $${pair%%:*} run . | diff -u $${pair#*:} -; done

consttime: setup ## look for secrets in how long things take; wants a quiet machine
	go test -tags=$(TAGS),consttime -count=1 -p 1 -v -run 'TestConstantTime' -timeout 30m \
		./internal/dudect ./internal/curve448 ./internal/modexp ./zrtp ./zrtp/internal/kex ./media/protect

bench: setup ## every Go benchmark
	go test -run '^$$' -bench . -benchmem ./...

bench-frame: setup ## measure a voice frame's way through the engine; writes bench/frame's page, plot and CSV
	@mkdir -p out
	go build -o bin/bench-frame ./bench/frame
	bin/bench-frame -json >out/frame.json && reached=0 || reached=$$?; \
		test -s out/frame.json && mv out/frame.json bench/frame/results.json && bin/bench-frame -report; \
		exit $$reached

bench-srtp: setup-interop ## measure SRTP beside pion and libsrtp; writes bench/srtp's page and plot
	@mkdir -p out
	go build -o bin/bench-srtp ./bench/srtp
	taskset -c $$(($$(nproc) - 1)) bin/bench-srtp -json >out/srtp.json
	mv out/srtp.json bench/srtp/results.json
	bin/bench-srtp -report

bench-quality: setup-interop ## replay arrival traces into our jitter buffer and into NetEq's; writes bench/quality's page
	@mkdir -p out
	npm install --silent --prefix out/wrtc @roamhq/wrtc@0.10.0
	go build -o bin/bench-quality ./bench/quality
	bin/bench-quality -neteq out/wrtc -json >out/quality.json && reached=0 || reached=$$?; \
		test -s out/quality.json && mv out/quality.json bench/quality/results.json && bin/bench-quality -report; \
		exit $$reached

interop: setup-interop ## call real peers: linphonec, linphone-daemon, baresip, libbzrtp, libsrtp, PulseAudio, PipeWire, speexdsp
	scripts/gotest -tags=$(TAGS),interop -count=1 -p 1 -parallel 3 -timeout 15m ./interop/... # calls mostly wait
	scripts/gotest -tags=$(TAGS),speexdsp ./media/audio/voice ./engine/devices

clean: ## remove what the targets made
	rm -rf bin out

$(LINT):
	GOBIN=$(CURDIR)/bin/tools go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/tools/golangci-lint $@
