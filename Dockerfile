# syntax=docker/dockerfile:1
# The same image as `make image` makes, for those who have Docker: runner, probes and a shell for
# CI jobs, and of Debian what NVIDIA's driver needs when it runs (cmd/image/glibc.go says why).
# Everything else is compiled from this repository, with its Go modules.
#
#   docker build --build-arg VERSION="$(git describe --tags --always --dirty)" -t conformance .
#
# Where modules or images come from a mirror: --build-arg GOPROXY=... --build-arg GO_IMAGE=...
# --build-arg DEBIAN_IMAGE=...
ARG GO_IMAGE=golang:1.26
ARG DEBIAN_IMAGE=debian:bookworm-slim
FROM ${DEBIAN_IMAGE} AS glibc
WORKDIR /root-of-image
RUN triplet=$(uname -m)-linux-gnu \
 && case $triplet in \
      x86_64-*) interpreter=lib64/ld-linux-x86-64.so.2 ;; \
      aarch64-*) interpreter=lib/ld-linux-aarch64.so.1 ;; \
      *) echo "no GPU driver for $triplet"; exit 1 ;; \
    esac \
 && mkdir -p "$(dirname "$interpreter")" "usr/lib/$triplet" etc/ld.so.conf.d var/lib/dpkg/status.d usr/share/doc/libc6 usr/share/doc/libgcc-s1 \
 && cp -L "/$interpreter" "$interpreter" \
 && for library in libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 librt.so.1 libgcc_s.so.1; do \
      cp -L "/usr/lib/$triplet/$library" "usr/lib/$triplet/" || exit 1; \
    done \
 && for package in libc6 libgcc-s1; do \
      cp -L "/usr/share/doc/$package/copyright" "usr/share/doc/$package/copyright" \
      && dpkg-query --show --showformat 'Package: ${Package}\nStatus: ${Status}\nArchitecture: ${Architecture}\nSource: ${source:Package}\nVersion: ${Version}\n' "$package" > "var/lib/dpkg/status.d/$package" || exit 1; \
    done \
 && cut -d. -f1 /etc/debian_version > etc/debian_version \
 && : > etc/ld.so.cache \
 && echo 'include /etc/ld.so.conf.d/*.conf' > etc/ld.so.conf \
 && printf '%s\n' /usr/local/nvidia/lib64 /usr/lib64 /lib64 > etc/ld.so.conf.d/nvidia.conf

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
 && go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o /root-of-image/probe-gpu ./cmd/probe-gpu \
 && go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=${VERSION}" -o /root-of-image/runner ./cmd/runner \
 && printf 'root:x:0:\nnonroot:x:65532:\n' > /root-of-image/etc/group \
 && printf 'root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532:nonroot:/tmp:/bin/sh\n' > /root-of-image/etc/passwd \
 && chmod 1777 /root-of-image/tmp

FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="aiv-conformance" \
      org.opencontainers.image.description="Checks a cluster against the AIV production requirements checklist" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=glibc /root-of-image/ /
COPY --from=build /root-of-image/ /
ENV PATH=/:/bin:/usr/bin HOME=/tmp
# NVIDIA_VISIBLE_DEVICES is for the device plugin to set.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility LD_LIBRARY_PATH=/usr/local/nvidia/lib64:/usr/lib64:/lib64
WORKDIR /tmp
# A number: Kubernetes can tell only from a number that it is not root.
USER 65532:65532
ENTRYPOINT ["/runner"]
