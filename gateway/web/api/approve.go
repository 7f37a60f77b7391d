package api

import (
	"context"
	"encoding/json"

	"loa/channels"
	"loa/gateway/account"
	"loa/gateway/alert"
	"loa/gateway/desk"
)

// beginApprove asks who is signed in for their passkey on exactly what the
// ledger has, if it is what they were shown.
func (s *server) beginApprove(ctx context.Context, a *act) (int, any, error) {
	var in struct {
		Hash string `json:"hash"`
	}
	if err := a.decode(&in, false); err != nil {
		return 0, nil, err
	}
	hash, err := parseHash(in.Hash)
	if err != nil {
		return 0, nil, err
	}
	c, err := s.signing(ctx, a, hash)
	if err != nil {
		return 0, nil, err
	}
	return challenge(s.Account.BeginSign(ctx, a.who, approvalOf(c), c.Submission.Communes))
}

// approve signs and sends. Who is signed in signs with their passkey; a person's
// token does in drill and demo, where nobody is reached.
func (s *server) approve(ctx context.Context, a *act) (int, any, error) {
	var in struct {
		Hash     string          `json:"hash"`
		Nonce    string          `json:"nonce"`
		Response json.RawMessage `json:"response"`
	}
	if err := a.decode(&in, false); err != nil {
		return 0, nil, err
	}
	hash, err := parseHash(in.Hash)
	if err != nil {
		return 0, nil, err
	}
	if a.known {
		if in.Nonce == "" || len(in.Response) == 0 {
			return 0, nil, ErrPasskey
		}
		if err := s.sign(ctx, a, hash, channels.Secret(in.Nonce), in.Response); err != nil {
			return 0, nil, err
		}
	}
	return done(s.Desk.Approve(ctx, a.token, a.id(), hash, a.key))
}

// sign stores what the passkey has signed. Who has approved this already, and
// asks again since the answer was lost, has nothing to sign any more.
func (s *server) sign(ctx context.Context, a *act, hash desk.SubmissionHash, nonce channels.Secret, response []byte) error {
	c, err := s.Desk.Status(ctx, a.token, a.id())
	if err != nil {
		return err
	}
	if c.State == alert.Approved && c.Hash == hash && signedBy(c, a.who.Person().ID) {
		return nil
	}
	if c, err = s.signing(ctx, a, hash); err != nil {
		return err
	}
	_, err = s.Account.FinishSign(ctx, a.who, approvalOf(c), c.Submission.Communes, nonce, response)
	return err
}

// signing is a submission that who asks may sign: it waits for it, it is what
// they were shown, and they may stand beside its author.
func (s *server) signing(ctx context.Context, a *act, hash desk.SubmissionHash) (*desk.Case, error) {
	c, err := s.Desk.Status(ctx, a.token, a.id())
	if err != nil {
		return nil, err
	}
	if _, err := c.State.Move(alert.ActApprove); err != nil {
		return nil, err
	}
	if hash != c.Hash || c.Hash != c.Submission.Hash() {
		return nil, desk.ErrHash
	}
	if a.who.Person().ID != c.Author.ID {
		return c, s.Account.MayCoSign(ctx, a.who, c.Author.ID)
	}
	two, err := s.Desk.NeedsTwo(ctx, c)
	if err != nil {
		return nil, err
	}
	if two {
		return nil, desk.ErrOwnAlert
	}
	return c, nil
}

func signedBy(c *desk.Case, id string) bool {
	for _, g := range c.Signatures {
		if g.Person == id && g.Act == alert.ActApprove && g.Hash == c.Hash {
			return true
		}
	}
	return false
}

// approvalOf is what is signed for an approval.
func approvalOf(c *desk.Case) account.Signing {
	return account.Signing{Act: account.ActApprove, Object: "alert/" + string(c.ID), Revision: c.Hash}
}

func parseHash(text string) (desk.SubmissionHash, error) {
	hash, err := desk.ParseHash(text)
	if err != nil {
		return hash, invalid("hash", "the 64 hexadecimal digits that the submission shows")
	}
	return hash, nil
}
