# Continuous integration runs the build line below as it stands.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/loa ./cmd/loa

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/loa /usr/local/bin/loa
USER 65532:65532
WORKDIR /var/lib/loa
VOLUME /var/lib/loa
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/loa"]
CMD ["serve", "--config", "/etc/loa/loa.yaml"]
