package public

import (
	"strings"

	"loa/gateway/coverage"
)

// fewNames is how many communes a gap names.
const fewNames = 5

// gap words what of an alert is not sent. The error itself is for engineers and
// not for this page.
func (b *builder) gap(g *coverage.Gap) string {
	kind := b.t("chan.all")
	if g.Kind != "" {
		kind = b.t(chanWord(g.Kind))
	}
	code, fault, _ := strings.Cut(g.Code, "/")
	switch code {
	case "render":
		return b.t("gap.render", "k", kind, "p", b.communes(g))
	case "request":
		return b.t("gap.request")
	case "unreadable":
		return b.t("gap.unreadable")
	case "status":
		return b.t("gap.status", "k", kind)
	case "content":
		return b.t("gap.content", "k", kind, "c", fault)
	default:
		return b.t("gap.other", "k", kind, "c", g.Code)
	}
}

// communes names the first communes of a gap and counts the others.
func (b *builder) communes(g *coverage.Gap) string {
	if len(g.Communes) == 0 {
		return b.t("gap.everywhere")
	}
	var names []string
	for _, c := range g.Communes[:min(fewNames, len(g.Communes))] {
		name := string(c)
		if u, ok := b.p.o.Unit(c); ok {
			name = u.FullName
		}
		names = append(names, name)
	}
	list := strings.Join(names, ", ")
	if more := len(g.Communes) - len(names); more > 0 {
		list = b.t("gap.more", "l", list, "n", more)
	}
	return list
}
