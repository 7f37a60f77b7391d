package gateway

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/dispatch"
	"loa/gateway/web"
	"loa/gateway/web/api"
)

// publicHandler is what the network sees: the drivers' callbacks and sockets,
// the API, the operators' pages, the live page.
func (g *Gateway) publicHandler() http.Handler {
	mux := http.NewServeMux()
	for _, o := range g.drivers {
		if h, ok := o.value.(channels.Handler); ok {
			prefix := "/channels/" + o.name
			mux.Handle(prefix+"/", http.StripPrefix(prefix, h.Handler()))
		}
	}
	mux.Handle("/api/", api.Public(g.api()))
	mux.HandleFunc("GET /healthz", g.healthz)
	mux.HandleFunc("GET /readyz", g.readyz)
	mux.Handle("GET /metrics", onlyHere(g.metrics()))
	for _, path := range g.consolePaths {
		mux.Handle(path, g.console)
	}
	mux.Handle("/", g.page)
	return web.Headers(mux)
}

// localHandler is what the 0600 socket serves: the same and the acts of the
// machine's owner.
func (g *Gateway) localHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", g.metrics())
	mux.HandleFunc("GET /health", g.health)
	g.holdHandlers(mux)
	g.backupHandler(mux)
	g.recordHandlers(mux)
	mux.Handle("/api/", web.Headers(api.Local(g.api())))
	mux.Handle("/", g.publicHandler())
	return mux
}

// LocalHandler is what the socket of a running gateway serves, for a command
// that works on the data folder itself because none is running.
func (g *Gateway) LocalHandler() http.Handler { return g.localHandler() }

// api is what the API needs of the rooms.
func (g *Gateway) api() api.Deps {
	return api.Deps{
		Desk: g.Desk, Account: g.Account, Audience: g.Audience, Areas: g.Areas, Shapes: g.Shapes, Coverage: g.Coverage,
		Renderer: g.Renderer, Place: g.place, Senders: g.senders, Now: g.now, Log: g.log,
		Cutting: g.cutting, Second: g.ledger.Second, Notices: g.Notices, Held: g.guard.since, EnrolURL: g.EnrolURL,
	}
}

// cutting reports whether some of an alert's recipients may not be in the
// ledger yet: a request of its is being made into batches for the first time.
// A correction is cut again as late receipts come; nobody waits for that.
func (g *Gateway) cutting(ctx context.Context, id alert.ID) (bool, error) {
	const ahead, all = 24 * time.Hour, 10_000
	jobs, err := g.ledger.Dispatch().Jobs(ctx, g.now().Add(ahead), all)
	return slices.ContainsFunc(jobs, func(j dispatch.Job) bool { return j.Alert == id && j.Cursor.Pass == 0 }), err
}

func (g *Gateway) metrics() http.Handler {
	return promhttp.HandlerFor(g.Metrics, promhttp.HandlerOpts{})
}

// forwarded names the headers by which a proxy on this machine gives away that
// the request came from elsewhere.
var forwarded = []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"}

// onlyHere serves requests made on this machine. To all others there is
// nothing at this path.
func onlyHere(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		passedOn := slices.ContainsFunc(forwarded, func(name string) bool { return len(r.Header.Values(name)) > 0 })
		if err != nil || !peer.Addr().Unmap().IsLoopback() || passedOn {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
