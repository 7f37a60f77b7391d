package demo

import (
	"context"

	"loa/gateway/account"
)

// invite lets two people in to try it in a browser: one who writes and
// administers, and one who approves, each over the provinces of the demo.
func (p *play) invite(ctx context.Context) error {
	for _, who := range []struct {
		name, does string
		roles      []account.Role
	}{
		{"Lê Thị Soạn", "soạn tin, quản trị", []account.Role{account.Author, account.Administrator}},
		{"Phạm Văn Duyệt", "duyệt tin", []account.Role{account.Approver}},
	} {
		var asks []account.Ask
		for _, role := range who.roles {
			for _, province := range Provinces {
				asks = append(asks, account.Ask{Role: role, Territory: province})
			}
		}
		_, link, err := p.g.Account.Furnish(ctx, who.name, account.Nation, asks)
		if err != nil {
			return err
		}
		p.say("%s (%s) đăng ký khoá truy cập, một lần, trong 30 phút: %s", who.name, who.does, p.g.EnrolURL(link))
	}
	return nil
}
