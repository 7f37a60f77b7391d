package channelstest

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"loa/channels"
)

var discard = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)

// What a driver may take from one answer: 64 KiB of body, and what the sockets
// of both ends hold beside it.
const (
	maxWritten   = 16 << 20
	maxAllocated = 16 << 20
)

// redirected checks that no redirect is followed, which would hand the message
// and perhaps the credentials to somebody else.
func (cfg *Config) redirected(t *testing.T) {
	for _, code := range []int{301, 302, 303, 307, 308} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			var followed atomic.Int64
			b := cfg.open(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/elsewhere" {
					followed.Add(1)
					cfg.Accept(w, r)
					return
				}
				swallow(r)
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(code)
			})
			_, err := b.send(t.Context(), t)
			want(t, err, cfg.Redirect)
			if followed.Load() != 0 || b.hits.Load() != 1 {
				t.Errorf("%d requests, %d followed the redirect", b.hits.Load(), followed.Load())
			}
		})
	}
}

// hostile plays answers of 2xx that prove nothing, and peers that want memory,
// time or our own words back.
func (cfg *Config) hostile(t *testing.T) {
	var written atomic.Int64
	for name, answer := range map[string]http.HandlerFunc{
		"200 with HTML":   body(http.StatusOK, "text/html", "<!doctype html><title>Sign in to the network</title>"),
		"201 with HTML":   body(http.StatusCreated, "text/html", "<!doctype html><title>Sign in to the network</title>"),
		"200 empty":       body(http.StatusOK, "application/json", ""),
		"200 of nothing":  body(http.StatusOK, "application/json", "{}"),
		"200 null":        body(http.StatusOK, "application/json", "null"),
		"JSON cut":        body(http.StatusCreated, "application/json", `{"sid":"SM00`),
		"body cut":        raw("HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{\"sid\":"),
		"a byte a second": drip,
		"endless":         endless(&written),
		"endless headers": endlessHeaders(&written),
		"gzip bomb":       bomb,
	} {
		t.Run(name, func(t *testing.T) {
			b := cfg.open(t, answer)
			var before, after runtime.MemStats
			written.Store(0)
			runtime.ReadMemStats(&before)
			_, err := b.send(t.Context(), t)
			runtime.ReadMemStats(&after)
			if b.hits.Load() != 1 {
				t.Errorf("%d requests, want one", b.hits.Load())
			}
			if err == nil && cfg.StatusIsProof {
				return
			}
			want(t, err, channels.FaultAmbiguous)
			if n := written.Load(); n > maxWritten {
				t.Errorf("the driver took %d bytes of an endless answer", n)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > maxAllocated {
				t.Errorf("%d bytes allocated for one answer", n)
			}
		})
	}
	for _, code := range []int{200, 400, 401, 404, 429, 500} {
		t.Run(fmt.Sprintf("echo %d", code), func(t *testing.T) {
			b := cfg.open(t, echo(code))
			_, _ = b.send(t.Context(), t) // whatever it comes to, it must not quote the request
		})
	}
	for _, before := range []string{"", "HTTP/1.1 ", "HTTP/1.1 201 ", "HTTP/1.1 201 Created\r\nX-Echo ", "HTTP/1.1 201 Created\r\nContent-Length: "} {
		t.Run(fmt.Sprintf("echo after %q", before), func(t *testing.T) {
			b := cfg.open(t, echoRaw(before))
			_, _ = b.send(t.Context(), t)
			if b.hits.Load() != 1 {
				t.Errorf("%d requests, want one", b.hits.Load())
			}
		})
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		swallow(r)
		w.WriteHeader(code)
	}
}

func body(code int, kind, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		swallow(r)
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(code)
		write(w, text)
	}
}

// write and swallow ignore errors: the driver may hang up whenever it likes.
func write(w io.Writer, text string) { _, _ = io.WriteString(w, text) }

func swallow(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

// silent takes the request and answers nothing.
func silent(_ http.ResponseWriter, r *http.Request) {
	swallow(r)
	<-r.Context().Done()
}

func drip(w http.ResponseWriter, r *http.Request) {
	swallow(r)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	w.WriteHeader(http.StatusCreated)
	for r.Context().Err() == nil {
		write(w, " ")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-tick.C:
		case <-r.Context().Done():
		}
	}
}

func endless(written *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		swallow(r)
		block := bytes.Repeat([]byte(" "), 32<<10)
		for r.Context().Err() == nil && written.Load() <= 2*maxWritten {
			n, err := w.Write(block)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
}

func endlessHeaders(written *atomic.Int64) http.HandlerFunc {
	return hijack(func(conn net.Conn) {
		write(conn, "HTTP/1.1 201 Created\r\n")
		line := "X-Filler: " + strings.Repeat("x", 8<<10) + "\r\n"
		for written.Load() <= 2*maxWritten {
			n, err := io.WriteString(conn, line)
			written.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
}

// zeros is 64 MiB of spaces, packed.
var zeros = sync.OnceValue(func() []byte {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	block := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 {
		_, _ = z.Write(block) // into memory
	}
	_ = z.Close()
	return packed.Bytes()
})

func bomb(w http.ResponseWriter, r *http.Request) {
	swallow(r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(zeros())
}

// echo gives the request back in its headers and body, as text and as the
// message of a JSON error.
func echo(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		dump, err := httputil.DumpRequest(r, true)
		if err != nil {
			return
		}
		_ = r.ParseForm() // DumpRequest has put the body back
		words := r.Header.Get("Authorization") + r.Form.Encode() + r.Form.Get("To") + r.Form.Get("Body")
		w.Header().Set("X-Echo", strconv.QuoteToASCII(words))
		w.Header().Set("Retry-After", strconv.QuoteToASCII(r.Form.Get("To")))
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		number := strings.TrimLeft(r.Form.Get("To"), "+")
		if number == "" {
			number = "0"
		}
		write(w, fmt.Sprintf(`{"sid":%q,"code":%s,"error_code":%s,"message":%q,"detail":%q}`, number, number, number, words, dump))
	}
}

// echoRaw gives the request back where HTTP should stand.
func echoRaw(before string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // a body that is no form has nothing to give back
		line := before + r.Form.Get("To") + r.Header.Get("Authorization") + r.Form.Get("Body") + "\r\n\r\n"
		hijack(func(conn net.Conn) { write(conn, line) })(w, r)
	}
}

func raw(text string) http.HandlerFunc {
	return hijack(func(conn net.Conn) { write(conn, text) })
}

// reset drops the connection with the request unanswered.
func reset(w http.ResponseWriter, r *http.Request) {
	hijack(func(conn net.Conn) {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	})(w, r)
}

// hijack reads the request and gives its connection to answer, then closes it.
func hijack(answer func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		swallow(r)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // the server of a test speaks HTTP/1.1
		}
		answer(conn)
		_ = conn.Close()
	}
}
