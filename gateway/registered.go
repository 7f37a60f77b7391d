package gateway

import (
	"errors"
	"io/fs"
	"time"

	"loa/gateway/config"
	"loa/gateway/render"
)

// RegisterAll makes cfg one in which every SMS text of the catalogue is
// registered for the sender, as an authority would have it done before the
// season. It returns the list. For configurations built in memory.
func RegisterAll(cfg *config.Config, templates fs.FS, parts func(text string) (int, string), from render.Sender) ([]render.Registered, error) {
	a := cfg.Agency
	r, err := render.New(templates, render.Options{
		Parts: parts, Now: time.Now,
		Agency:  render.Agency{Short: a.Short, ShortUnmarked: a.Plain, ShortEN: a.ShortEN, Long: a.Name, LongEN: a.NameEN},
		Senders: []render.Sender{from},
	})
	if err != nil {
		return nil, err
	}
	list := r.ToRegister(from)
	if len(list) == 0 {
		return nil, errors.New("the catalogue has no SMS to register")
	}
	cfg.SMS, err = config.NewSection(struct {
		Senders    []render.Sender     `yaml:"senders"`
		Registered []render.Registered `yaml:"registered"`
	}{[]render.Sender{from}, list})
	return list, err
}
