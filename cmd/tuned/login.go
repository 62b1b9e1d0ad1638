package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

func (a *app) loginCommand() *cobra.Command {
	var p place
	c := &cobra.Command{
		Use:        "login",
		SuggestFor: []string{"browser", "open", "link", "web"},
		Short:      "Print a link that lets a browser in",
		Long: `Print a link that lets a browser in: it is good for one time, and for ten minutes. The browser is known
for a week then, or until the daemon has another token.`,
		Args: words(0, 0, "no words"),
		RunE: func(c *cobra.Command, _ []string) error {
			return doing("make a link", a.login(c.Context(), &p))
		},
	}
	p.connectionFlags(c, a.getenv)
	return c
}

func (a *app) login(ctx context.Context, p *place) error {
	return p.asking(ctx, func(c *client) error {
		r, err := c.CreateLogin(ctx, &tunedv1.CreateLoginRequest{})
		if err != nil {
			return rpcError(err)
		}
		fmt.Fprintln(a.stdout, p.asReached(r.GetUrl()))
		fmt.Fprintf(a.stderr, "it is good for one time, until %s\n", r.GetExpireTime().AsTime().Local().Format(time.TimeOnly))
		return nil
	})
}

// asReached is a URL of the daemon, with the scheme and the host by which this command has reached it over TCP.
func (p *place) asReached(link string) string {
	to, err := url.Parse(p.address())
	at, wrong := url.Parse(link)
	if err != nil || wrong != nil || to.Host == "" {
		return link
	}
	at.Scheme, at.Host = to.Scheme, to.Host
	return at.String()
}
