package gateway

import (
	"context"
	"io/fs"

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
