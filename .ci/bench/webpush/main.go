// Command webpush measures what one encrypted, signed and posted push message costs the
// sender: Loa's driver beside webpush-go, over the same local sink.
//
//	webpush sink -cert FILE                 an HTTPS server (HTTP/2) that answers 201
//	webpush send -impl loa|webpush-go ...   sends and prints one JSON line
//
// Set SSL_CERT_FILE to the sink's certificate for the sender. Every run of
// either side first has one message decrypted, to show that it does the work.
package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	peer "github.com/SherClockHolmes/webpush-go"

	"loa/channels"
	"loa/channels/webpush"

	"loabench/measure"
)

var b64 = base64.RawURLEncoding

func main() {
	if len(os.Args) < 2 {
		log.Fatal("webpush sink|send")
	}
	var err error
	switch os.Args[1] {
	case "sink":
		err = sink(os.Args[2:])
	case "send":
		err = send(os.Args[2:])
	default:
		err = errors.New("webpush sink|send")
	}
	if err != nil {
		log.Fatal(err)
	}
}

// seen is what the sink tells.
type seen struct {
	CPU      float64
	Messages int64
	Last     []byte
}

func sink(args []string) error {
	fs := flag.NewFlagSet("sink", flag.ExitOnError)
	addr := fs.String("addr", "127.0.0.1:23003", "where to listen")
	cert := fs.String("cert", "", "file to write the certificate to")
	_ = fs.Parse(args)
	var messages atomic.Int64
	var last atomic.Pointer[[]byte]
	mux := http.NewServeMux()
	mux.HandleFunc("POST /push/", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "vapid t=") || r.Header.Get("TTL") == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		messages.Add(1)
		last.Store(&b)
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("GET /seen", func(w http.ResponseWriter, _ *http.Request) {
		s := seen{CPU: measure.CPU(), Messages: messages.Load()}
		if b := last.Load(); b != nil {
			s.Last = *b
		}
		_ = json.NewEncoder(w).Encode(s)
	})
	pair, err := certificate(*cert)
	if err != nil {
		return err
	}
	srv := &http.Server{Addr: *addr, Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}}}
	return srv.ListenAndServeTLS("", "")
}

func certificate(file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sink"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(file, text, 0o600)
}

// subscriber is a browser whose key we hold.
type subscriber struct {
	key      *ecdh.PrivateKey
	auth     []byte
	endpoint string
	keys     peer.Keys
	address  channels.Address
}

func subscribers(n int, origin string) ([]subscriber, error) {
	out := make([]subscriber, n)
	for i := range out {
		key, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		s := subscriber{key: key, auth: make([]byte, 16)}
		_, _ = rand.Read(s.auth)
		s.endpoint = origin + "/push/" + b64.EncodeToString(s.auth) + "gAAAAABkq0cYx3vO8tJb1mU2yT9sVbWc5dNf4hG7aQeRZpLoXwEuKiMnJrStCyHgPv"
		s.keys = peer.Keys{Auth: b64.EncodeToString(s.auth), P256dh: b64.EncodeToString(key.PublicKey().Bytes())}
		s.address = channels.Address(fmt.Sprintf(`{"endpoint":%q,"p256dh":%q,"auth":%q}`, s.endpoint, s.keys.P256dh, s.keys.Auth))
		out[i] = s
	}
	return out, nil
}

// open decrypts a message as the browser would (RFC 8291).
func (s subscriber) open(body []byte) ([]byte, error) {
	if len(body) < 86 {
		return nil, errors.New("short body")
	}
	from, err := ecdh.P256().NewPublicKey(body[21:86])
	if err != nil {
		return nil, err
	}
	secret, err := s.key.ECDH(from)
	if err != nil {
		return nil, err
	}
	ikm, _ := hkdf.Key(sha256.New, secret, s.auth, "WebPush: info\x00"+string(s.key.PublicKey().Bytes())+string(body[21:86]), 32)
	cek, _ := hkdf.Key(sha256.New, ikm, body[:16], "Content-Encoding: aes128gcm\x00", 16)
	nonce, _ := hkdf.Key(sha256.New, ikm, body[:16], "Content-Encoding: nonce\x00", 12)
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	text, err := gcm.Open(nil, nonce, body[86:], nil)
	return bytes.TrimSuffix(bytes.TrimRight(text, "\x00"), []byte{2}), err
}

type result struct {
	Bench         string  `json:"bench"`
	Impl          string  `json:"impl"`
	Messages      int     `json:"messages"`
	InFlight      int     `json:"in_flight"`
	CPUus         float64 `json:"cpu_us_per_message"`
	PerSecond     float64 `json:"messages_per_s"`
	SinkCPUus     float64 `json:"sink_cpu_us_per_message"`
	BodyBytes     int     `json:"body_bytes"`
	OthersInCores float64 `json:"other_cores"`
}

func send(args []string) error {
	fs := flag.NewFlagSet("send", flag.ExitOnError)
	impl := fs.String("impl", "loa", "loa or webpush-go")
	origin := fs.String("origin", "https://127.0.0.1:23003", "the sink")
	n := fs.Int("n", 20000, "messages")
	flight := fs.Int("c", 64, "in flight")
	_ = fs.Parse(args)
	subs, err := subscribers(2000, *origin)
	if err != nil {
		return err
	}
	text := bytes.Repeat([]byte("bao khan cap cap 4, o yen trong "), 32) // 1 KB
	one, err := sender(*impl, *origin, *flight, text)
	if err != nil {
		return err
	}
	if err := one(&subs[0]); err != nil {
		return err
	}
	s0, err := look(*origin)
	if err != nil {
		return err
	}
	if got, err := subs[0].open(s0.Last); err != nil || !bytes.Equal(got, text) {
		return fmt.Errorf("the browser cannot read what %s sent: %w", *impl, err)
	}
	if err := run(one, subs, *n/10, *flight); err != nil { // warm up
		return err
	}
	if s0, err = look(*origin); err != nil {
		return err
	}
	machine, cpu, began := measure.Start(), measure.CPU(), time.Now()
	if err := run(one, subs, *n, *flight); err != nil {
		return err
	}
	used, took := measure.CPU()-cpu, time.Since(began).Seconds()
	cores := machine.Cores()
	s1, err := look(*origin)
	if err != nil {
		return err
	}
	if got := s1.Messages - s0.Messages; got != int64(*n) {
		return fmt.Errorf("the sink took %d of %d", got, *n)
	}
	per := 1e6 / float64(*n)
	measure.Emit(result{
		Bench: "webpush", Impl: *impl, Messages: *n, InFlight: *flight, CPUus: used * per, PerSecond: float64(*n) / took,
		SinkCPUus: (s1.CPU - s0.CPU) * per, BodyBytes: len(s1.Last), OthersInCores: cores - (used+s1.CPU-s0.CPU)/took,
	})
	return nil
}

func run(one func(*subscriber) error, subs []subscriber, n, flight int) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for range flight {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n || failed.Load() != nil {
					return
				}
				if err := one(&subs[i%len(subs)]); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	all.Wait()
	if e := failed.Load(); e != nil {
		return *e
	}
	return nil
}

func look(origin string) (s seen, err error) {
	resp, err := http.Get(origin + "/seen")
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

func sender(impl, origin string, flight int, text []byte) (func(*subscriber) error, error) {
	private, public, err := webpush.GenerateKey()
	if err != nil {
		return nil, err
	}
	switch impl {
	case "loa":
		s, err := webpush.Open(webpush.Config{Subject: "mailto:ops@example.org", PrivateKey: private, Concurrency: flight},
			channels.Deps{Origin: origin, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, err
		}
		m := channels.Message{Alert: "a", Revision: 1, Status: channels.Actual, Urgent: true, Expires: time.Now().Add(time.Hour), Body: text}
		return func(to *subscriber) error {
			m := m
			m.To = to.address
			_, err := s.Send(context.Background(), m)
			return err
		}, nil
	case "webpush-go": // with a connection pool as wide as the work, which its default has not
		tr := http.DefaultTransport.(*http.Transport).Clone()
		tr.MaxIdleConnsPerHost, tr.MaxIdleConns = flight, 0
		o := &peer.Options{HTTPClient: &http.Client{Transport: tr}, Subscriber: "ops@example.org", TTL: 3600, Urgency: peer.UrgencyHigh,
			Topic: "a", VAPIDPublicKey: public, VAPIDPrivateKey: private.Reveal()}
		return func(to *subscriber) error {
			resp, err := peer.SendNotification(text, &peer.Subscription{Endpoint: to.endpoint, Keys: to.keys}, o)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			_, _ = io.Copy(io.Discard, resp.Body)
			if resp.StatusCode != http.StatusCreated {
				return fmt.Errorf("status %d", resp.StatusCode)
			}
			return nil
		}, nil
	}
	return nil, fmt.Errorf("no implementation %q", impl)
}
