package demo

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"loa/gateway/config"
	"loa/gateway/render"
)

// register has every text of the catalogue registered with the carrier, as an
// authority would do before the season, and puts the list into the
// configuration.
func (p *play) register(cfg *config.Config) error {
	a := cfg.Agency
	r, err := render.New(p.Templates, render.Options{
		Parts: p.World.Parts, Now: time.Now,
		Agency:  render.Agency{Short: a.Short, ShortEN: a.ShortEN, Long: a.Name, LongEN: a.NameEN},
		Senders: []render.Sender{p.World.Sender},
	})
	if err != nil {
		return err
	}
	list := r.ToRegister(p.World.Sender)
	if len(list) == 0 {
		return errors.New("the catalogue has no SMS to register")
	}
	patterns := make([]string, len(list))
	for i, t := range list {
		patterns[i] = pattern(t)
	}
	if err := p.World.Register(patterns); err != nil {
		return err
	}
	cfg.SMS, err = config.NewSection(struct {
		Senders    []render.Sender     `yaml:"senders"`
		Registered []render.Registered `yaml:"registered"`
	}{[]render.Sender{p.World.Sender}, list})
	return err
}

var slot = regexp.MustCompile(`\\\{([a-z_]+)\\\}`)

// pattern is a registered text as the carrier checks it: slots take anything
// up to their longest value.
func pattern(t render.Registered) string {
	quoted := regexp.QuoteMeta(t.Text)
	return slot.ReplaceAllStringFunc(quoted, func(s string) string {
		name := strings.Trim(s, `\{}`)
		for _, known := range t.Slots {
			if known.Name == name {
				return fmt.Sprintf(".{1,%d}", known.Longest)
			}
		}
		return s
	})
}
