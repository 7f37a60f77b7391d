// Command app measures a broadcast of one alert of 1 KB to many idle WebSocket
// listeners: Loa's hub beside the centrifuge library. Server and clients are
// two processes. Loa pings as it does in service; centrifuge's pings are off.
//
//	app server -impl loa|centrifuge
//	app client -impl loa|centrifuge -n 10000 -rounds 20      prints one JSON line
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/centrifugal/centrifuge"

	"loa/channels"
	"loa/channels/app"

	"loabench/measure"
)

const (
	listenAddr  = "127.0.0.1:22001"
	controlAddr = "127.0.0.1:22002"
	commune     = "06652"
)

func main() {
	if len(os.Args) < 2 {
		log.Fatal("app server|client")
	}
	var err error
	switch os.Args[1] {
	case "server":
		err = server(os.Args[2:])
	case "client":
		err = client(os.Args[2:])
	default:
		err = errors.New("app server|client")
	}
	if err != nil {
		log.Fatal(err)
	}
}

// alert is a document of exactly 1,024 bytes.
func alert(i int) []byte {
	head := fmt.Sprintf(`{"v":1,"alert":"loa-bench-%08d","revision":1,"headline":"TIN BAO KHAN CAP","pad":"`, i)
	return []byte(head + strings.Repeat("x", 1024-len(head)-2) + `"}`)
}

// hub is one side of the comparison.
type hub struct {
	handler   http.Handler
	path      string
	broadcast func(i int) error
	count     func() int
}

func open(impl string) (hub, error) {
	switch impl {
	case "loa":
		wait, _ := time.ParseDuration(os.Getenv("PONG_WAIT")) // as configured by default when unset
		h, err := app.Open(app.Config{PerAddress: 1 << 20, PongWait: wait}, channels.Deps{
			Sink:     func(context.Context, ...channels.Receipt) error { return nil },
			Snapshot: func(context.Context, []string) ([]channels.Message, error) { return nil, nil },
			Now:      time.Now, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return hub{}, err
		}
		return hub{h.Handler(), "/ws", func(i int) error {
			_, err := h.Broadcast(context.Background(), channels.Message{
				Alert: fmt.Sprintf("loa-bench-%08d", i), Revision: 1, Status: channels.Actual, Language: "vi",
				Expires: time.Now().Add(time.Hour), Body: alert(i),
			}, []string{commune})
			return err
		}, h.Connections}, nil
	case "centrifuge":
		n, err := centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelError})
		if err != nil {
			return hub{}, err
		}
		n.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
			return centrifuge.ConnectReply{
				Credentials:    &centrifuge.Credentials{},
				Subscriptions:  map[string]centrifuge.SubscribeOptions{commune: {}},
				PingPongConfig: &centrifuge.PingPongConfig{PingInterval: -1, PongTimeout: -1},
			}, nil
		})
		n.OnConnect(func(*centrifuge.Client) {})
		if err := n.Run(); err != nil {
			return hub{}, err
		}
		// The leanest set-up it documents: small read buffer, pooled write buffers, no compression.
		ws := centrifuge.NewWebsocketHandler(n, centrifuge.WebsocketConfig{ReadBufferSize: 512, UseWriteBufferPool: true})
		return hub{ws, "/ws", func(i int) error { _, err := n.Publish(commune, alert(i)); return err }, n.Hub().NumClients}, nil
	}
	return hub{}, fmt.Errorf("no implementation %q", impl)
}

type stats struct {
	CPU        float64
	RSS        int64
	Heap       uint64
	Stack      uint64
	Goroutines int
	Conns      int
}

func server(args []string) error {
	impl, err := implFlag("server", args)
	if err != nil {
		return err
	}
	h, err := open(impl)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(h.path, h.handler)
	failed := make(chan error, 2)
	go func() { failed <- http.ListenAndServe(listenAddr, mux) }()
	ctl := http.NewServeMux()
	ctl.HandleFunc("POST /broadcast", func(w http.ResponseWriter, r *http.Request) {
		var i int
		_, _ = fmt.Sscan(r.FormValue("i"), &i)
		began := time.Now().UnixNano()
		if err := h.broadcast(i); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(began)
	})
	ctl.HandleFunc("POST /gc", func(http.ResponseWriter, *http.Request) {
		for range 3 { // stacks shrink by half each time
			runtime.GC()
		}
		debug.FreeOSMemory()
	})
	ctl.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		_ = json.NewEncoder(w).Encode(stats{measure.CPU(), measure.RSS(), m.HeapInuse, m.StackInuse, runtime.NumGoroutine(), h.count()})
	})
	go func() { failed <- http.ListenAndServe(controlAddr, ctl) }()
	return <-failed
}
