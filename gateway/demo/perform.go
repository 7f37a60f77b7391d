package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"loa/channels"
	"loa/gateway/alert"
	"loa/gateway/area"
	"loa/gateway/audience"
	"loa/gateway/desk"
)

// perform draws the people, has the alert signed, watches it to its end and
// shows what came of it.
func (p *play) perform(ctx context.Context) error {
	for _, code := range Provinces {
		p.communes = append(p.communes, p.g.Areas.Communes(code)...)
	}
	p.say("%d xã, phường, đặc khu của Quảng Ninh và Hải Phòng", len(p.communes))
	if err := p.populate(ctx); err != nil {
		return fmt.Errorf("subscribers: %w", err)
	}
	if err := p.World.Connect(ctx, p.base); err != nil {
		return fmt.Errorf("app clients: %w", err)
	}
	if err := p.sign(ctx); err != nil {
		return fmt.Errorf("the alert: %w", err)
	}
	if err := p.watch(ctx); err != nil {
		return err
	}
	result, err := p.compare(ctx)
	if err != nil {
		return fmt.Errorf("comparing the books: %w", err)
	}
	if err := p.table(ctx); err != nil {
		return err
	}
	if err := p.report(result); err != nil {
		return err
	}
	if !result.agree() {
		return ErrBooks
	}
	return nil
}

const addAtOnce = 1000

// populate draws the residents, gets their addresses from the stand-ins and
// subscribes them.
func (p *play) populate(ctx context.Context) error {
	p.people = draw(p.rng(), p.communes, p.Recipients)
	if err := p.address(); err != nil {
		return err
	}
	now := time.Now()
	for start := 0; start < len(p.people); start += addAtOnce {
		part := p.people[start:min(start+addAtOnce, len(p.people))]
		es := make([]audience.Endpoint, len(part))
		for i, r := range part {
			es[i] = audience.Endpoint{
				Kind: r.kind, Commune: r.commune, Language: r.language, Address: r.address,
				Basis: audience.Consent, ConsentText: "demo-1", ConsentAt: now,
			}
		}
		ids, err := p.g.Audience.Add(ctx, now, es)
		if err != nil {
			return err
		}
		p.ids = append(p.ids, ids...)
	}
	p.say("%d thuê bao: %s", len(p.people), p.mix())
	return nil
}

// address fills in what the stand-ins give.
func (p *play) address() error {
	var browsers []int
	var apps []int
	for i, r := range p.people {
		switch r.kind {
		case channels.WebPush:
			browsers = append(browsers, i)
		case channels.App:
			apps = append(apps, i)
		default:
		}
	}
	subscriptions, err := p.World.Subscribe(len(browsers))
	if err != nil {
		return err
	}
	for n, i := range browsers {
		p.people[i].address = subscriptions[n]
	}
	homes := make([]area.Code, len(apps))
	for n, i := range apps {
		homes[n] = p.people[i].commune
	}
	installs, err := p.World.Install(homes)
	if err != nil {
		return err
	}
	for n, i := range apps {
		p.people[i].address = installs[n]
	}
	return nil
}

func (p *play) mix() string {
	counts := p.byKind()
	var parts []string
	for _, s := range shares {
		parts = append(parts, fmt.Sprintf("%s %d", kindName(s.kind), counts[s.kind]))
	}
	return strings.Join(parts, ", ")
}

// sign has one person write and another approve.
func (p *play) sign(ctx context.Context) error {
	_, author, err := p.g.Account.Add(ctx, "Nguyễn Thị Soạn", desk.Nation)
	if err != nil {
		return err
	}
	_, approver, err := p.g.Account.Add(ctx, "Trần Văn Duyệt", desk.Nation)
	if err != nil {
		return err
	}
	c, err := p.g.Desk.Draft(ctx, author, desk.DraftInput{Status: alert.Actual, Infos: Bulletin(time.Now(), p.communes), Source: "NCHMF, 7/9/2024"})
	if err != nil {
		return err
	}
	if c, err = p.g.Desk.Submit(ctx, author, c.ID); err != nil {
		return err
	}
	p.say("%s", title)
	p.say("Bản tin %s, người soạn Nguyễn Thị Soạn, mã kiểm tra %s", c.Submission.Revision.Code, short(c.Hash.String()))
	p.alert = c.ID
	approved, err := p.g.Desk.Approve(ctx, approver, c.ID, c.Hash, "")
	if err != nil {
		return err
	}
	p.approved = approved.ApprovedAt
	p.say("Người duyệt Trần Văn Duyệt đã ký lúc %s", p.approved.In(vietnam).Format("15:04:05"))
	return nil
}

func short(hash string) string { return hash[:min(12, len(hash))] }

var vietnam = time.FixedZone("UTC+7", 7*60*60)
