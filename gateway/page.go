package gateway

import (
	"context"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"

	"loa/gateway/web/api"
	"loa/gateway/web/console"
	"loa/gateway/web/public"
)

// openPage makes the live page, which reads of the rooms what everybody may see.
func (g *Gateway) openPage(context.Context) error {
	files, err := fs.Sub(g.opt.Templates, "web")
	if err != nil {
		return err
	}
	g.page, err = public.New(public.Options{
		Files: files, Deployment: string(g.cfg.Deployment),
		Agency: map[string]string{"vi": g.cfg.Agency.Name, "en": g.cfg.Agency.NameEN},
		Cases:  shown(g.ledger.Desk().Cases), Cells: g.Coverage.Cells, Cutting: g.cutting,
		Second: g.ledger.Second, Unheard: g.unheard, Notices: g.Notices.Notices,
		Unit: g.Areas.Unit, Health: g.pageHealth, Now: g.now, Log: g.log,
	})
	return err
}

func (g *Gateway) pageHealth() public.Health {
	h := g.Engine.Health()
	out := public.Health{Mode: string(h.Mode), Since: h.Since, Held: g.guard.since()}
	for _, d := range h.Down {
		out.Down = append(out.Down, public.Down{Kind: d.Kind, Provider: d.Provider, Why: whyDown(d), Code: d.Code})
	}
	return out
}

// openConsole makes the operators' pages, which ask the API as who is signed in.
func (g *Gateway) openConsole(context.Context) error {
	files, err := fs.Sub(g.opt.Templates, "web/console")
	if err != nil {
		return err
	}
	c, err := console.New(console.Options{
		Files: files, Deployment: string(g.cfg.Deployment), Agency: map[string]string{"vi": g.cfg.Agency.Name, "en": g.cfg.Agency.NameEN},
		API: api.Public(g.api()), Unit: g.Areas.Unit, Now: g.now, Log: g.log,
	})
	if err != nil {
		return err
	}
	g.console, g.consolePaths = atDomain(c, g.Console()), c.Paths()
	return nil
}

// atDomain leads who came to an address to the domain that it is: passkeys and
// the cookies of sessions belong to a domain.
func atDomain(next http.Handler, console string) http.Handler {
	to, err := url.Parse(console)
	if err != nil || to.Host == "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, err := netip.ParseAddrPort(r.Host)
		if err != nil || !at.Addr().IsLoopback() || r.Method != http.MethodGet {
			next.ServeHTTP(w, r)
			return
		}
		there := url.URL{Scheme: to.Scheme, Host: to.Host, Path: r.URL.Path, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, there.String(), http.StatusSeeOther)
	})
}
