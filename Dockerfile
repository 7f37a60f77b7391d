# Continuous integration runs the build line below as it stands.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/loa ./cmd/loa
RUN mkdir -p /out/data /out/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/loa /usr/local/bin/loa
# Both belong to the user below: the data folder, and what the demo works in.
COPY --from=build --chown=65532:65532 /out/data /var/lib/loa
COPY --from=build --chown=65532:65532 /out/tmp /tmp
USER 65532:65532
WORKDIR /var/lib/loa
VOLUME /var/lib/loa
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/loa"]
CMD ["serve", "--config", "/etc/loa/loa.yaml"]
