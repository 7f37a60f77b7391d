package gateway

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"loa/channels"
	"loa/gateway/account"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audit"
	"loa/gateway/desk"
	"loa/gateway/web/api"
)

// enrolPath is the page that opens an enrolment link. The secret follows as a
// fragment, which no browser sends and no server logs.
const enrolPath = "/moi#"

func (g *Gateway) openAccount() {
	site, ok := siteOf(g.cfg.Public)
	if !ok {
		g.log.Warn("nobody can sign in with a passkey: the key public of the configuration needs a domain name", "where", g.cfg.Where("public"))
	}
	site.Name, site.Environment = g.cfg.Agency.Short, string(g.cfg.Deployment)
	g.Account = &account.Account{
		Store: g.ledger.Account(), Now: g.now, Rand: rand.Reader, Keys: [][]byte{g.sealKey}, Site: site, Expand: g.Areas.Expand,
		Valid: func(c area.Code) error {
			_, err := g.Areas.Expand([]area.Code{c})
			return err
		},
	}
}

// siteOf is where passkeys are used, by the base URL that people reach us at. A
// passkey belongs to a domain (WebAuthn level 3, section 5.1.2), so a loopback
// address is localhost to them; any other address is false.
func siteOf(public string) (account.Site, bool) {
	u, err := url.Parse(public)
	if err != nil || u.Hostname() == "" {
		return account.Site{}, false
	}
	host := strings.ToLower(u.Hostname())
	if ip, err := netip.ParseAddr(host); err == nil {
		if !ip.IsLoopback() {
			return account.Site{}, false
		}
		host = "localhost"
	}
	origin := u.Scheme + "://" + host
	if port := u.Port(); port != "" && (u.Scheme != "https" || port != "443") && (u.Scheme != "http" || port != "80") {
		origin = u.Scheme + "://" + net.JoinHostPort(host, port)
	}
	return account.Site{ID: host, Origins: []string{origin}}, true
}

// Console is the base URL of the pages for people with an account; empty if
// nobody can sign in.
func (g *Gateway) Console() string {
	if len(g.Account.Site.Origins) == 0 {
		return ""
	}
	base := g.Account.Site.Origins[0]
	if u, err := url.Parse(g.cfg.Public); err == nil {
		base += u.Path
	}
	return base
}

// EnrolURL is where the secret of an enrolment link is used.
func (g *Gateway) EnrolURL(link channels.Secret) string {
	return g.Console() + enrolPath + link.Reveal()
}

// FirstLink is the address with which the first administrator enrols, this once;
// empty when somebody has a passkey already or nobody can sign in.
func (g *Gateway) FirstLink(ctx context.Context) (string, error) {
	if g.Console() == "" {
		return "", nil
	}
	link, given, err := g.Account.FirstLink(ctx)
	if err != nil || !given {
		return "", err
	}
	return g.EnrolURL(link), nil
}

// authority says to the desk who acts: who asks with a session or a scoped
// token, as the API has found out, or whose token it is.
type authority struct{ *account.Account }

// Person fills desk.Authority.
func (a authority) Person(ctx context.Context, token channels.Secret) (id, name string, territory area.Code, err error) {
	if who, ok := account.ActorOf(ctx); ok {
		p := who.Person()
		return p.ID, p.Name, p.Territory, nil
	}
	return a.Account.Person(ctx, token)
}

// entitledDesk asks once more, of the very case that becomes durable, whether
// who acts may do this act in every commune of it.
type entitledDesk struct {
	desk.Store

	expand func([]area.Code) ([]area.Code, error)
}

// Create stores a draft.
func (d entitledDesk) Create(ctx context.Context, c desk.Case, rec audit.Record) error {
	if err := d.may(ctx, &c); err != nil {
		return err
	}
	return d.Store.Create(ctx, c, rec)
}

// Apply makes a change durable.
func (d entitledDesk) Apply(ctx context.Context, c desk.Change) error {
	if err := d.may(ctx, &c.Case); err != nil {
		return err
	}
	for _, id := range c.Supersede {
		if err := d.mayEnd(ctx, id); err != nil {
			return err
		}
	}
	return d.Store.Apply(ctx, c)
}

func (d entitledDesk) mayEnd(ctx context.Context, id alert.ID) error {
	if _, ok := account.ActorOf(ctx); !ok {
		return nil
	}
	old, err := d.Case(ctx, id)
	if err != nil {
		return fmt.Errorf("what the alert replaces: %w", err)
	}
	return d.may(ctx, old)
}

func (d entitledDesk) may(ctx context.Context, c *desk.Case) error {
	who, ok := account.ActorOf(ctx)
	if !ok {
		return nil // the machine itself, or a person's token: the desk has asked for their territory
	}
	communes, err := api.Communes(c, d.expand)
	if err != nil {
		return err
	}
	return api.Entitled(who, c, communes)
}
