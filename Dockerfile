# syntax=docker/dockerfile:1
# The same image as `make image` makes, for those who have Docker: runner, probe and a shell for
# CI jobs, and nothing else. Everything is compiled from this repository; the Go modules are all
# that comes over the network.
#
#   docker build --build-arg VERSION="$(git describe --tags --always --dirty)" -t conformance .
#
# Where modules or images come from a mirror: --build-arg GOPROXY=... --build-arg GO_IMAGE=...
ARG GO_IMAGE=golang:1.26
FROM ${GO_IMAGE} AS build
ARG VERSION=dev
ARG GOPROXY
ENV CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local
WORKDIR /source
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN mkdir -p /root-of-image/bin /root-of-image/etc /root-of-image/tmp \
 && go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o /root-of-image/bin/sh ./cmd/shell \
 && go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o /root-of-image/probe ./cmd/probe \
 && go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=${VERSION}" -o /root-of-image/runner ./cmd/runner \
 && printf 'root:x:0:\nnonroot:x:65532:\n' > /root-of-image/etc/group \
 && printf 'root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/sh\n' > /root-of-image/etc/passwd \
 && chmod 1777 /root-of-image/tmp

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="aiv-conformance" \
      org.opencontainers.image.description="Checks a cluster against the AIV production requirements checklist" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=build /root-of-image/ /
ENV PATH=/:/bin:/usr/bin HOME=/tmp
WORKDIR /tmp
# A number: Kubernetes can tell only from a number that it is not root.
USER 65532:65532
ENTRYPOINT ["/runner"]
