package console

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"hearth"
)

const (
	sparkDialTimeout   = 5 * time.Second
	sparkAnswerTimeout = 2 * time.Minute // a history's first page has all of its event log read

	// assetsAge is how long a browser may keep what every page of Spark loads: two
	// megabytes of scripts and styles.
	assetsAge = "private, max-age=3600"
)

func newSparkTransport() http.RoundTripper {
	return final{&http.Transport{
		DialContext:           (&net.Dialer{Timeout: sparkDialTimeout}).DialContext,
		DisableCompression:    true, // what the browser takes is passed on
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   8,
		ResponseHeaderTimeout: sparkAnswerTimeout,
	}}
}

// final gives answers, and keeps quiet about what comes before them (HTTP's 1xx):
// ReverseProxy passes that on with all headers, and drops ours then.
type final struct{ http.RoundTripper }

func (f final) RoundTrip(r *http.Request) (*http.Response, error) {
	return f.RoundTripper.RoundTrip(r.WithContext(valueless{r.Context()}))
}

// valueless is a context in which there is nobody to be told how a request goes.
type valueless struct{ context.Context }

func (valueless) Value(any) any { return nil }

var errSwitches = errors.New("the driver speaks another protocol, which nobody asked for")

// sparkRequest and sparkResponse are the headers that pass between a browser and
// Spark. No cookie does, either way.
var (
	sparkRequest  = []string{"Accept", "Accept-Encoding", "Accept-Language", "If-Modified-Since", "User-Agent"}
	sparkResponse = []string{"Content-Disposition", "Content-Encoding", "Content-Length", "Content-Type", "Date", "Last-Modified", "Location"}
)

func toFirstSparkPage(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, sparkPages.path(r.PathValue("id"))+"/", http.StatusSeeOther)
	return nil
}

// sparkPage hands a request on to whoever shows Spark's pages of the session. They
// are as Spark makes them: told in a header where they are, it begins its links
// with that. Which session they are of is decided here alone.
func (c *Console) sparkPage(w http.ResponseWriter, r *http.Request, v visit) error {
	root := sparkPages.path(v.sessionID)
	if r.Header.Get("Service-Worker") != "" {
		return hearth.Errorf(hearth.KindDenied, "Spark's pages may not leave a program in the browser.")
	}
	if stops(r.URL.Path) {
		return hearth.Errorf(hearth.KindInvalid, "Nothing is stopped on Spark's pages. Stop the calculation instead: on the session's page, or with StopCalculationExecution.")
	}
	pages, err := c.sessions.Pages(r.Context(), v.sessionID)
	if err != nil {
		return c.soon(w, err)
	}
	var failure error
	proxy := httputil.ReverseProxy{
		Transport: c.spark,
		Rewrite: func(p *httputil.ProxyRequest) {
			out := p.Out
			out.URL.Scheme, out.URL.Host, out.Host = "http", pages.Address, pages.Address
			out.URL.Path, out.URL.RawPath = strings.TrimPrefix(out.URL.Path, root), strings.TrimPrefix(out.URL.RawPath, root)
			out.Header = only(p.In.Header, sparkRequest)
			out.Header.Set("X-Forwarded-Context", root)
			if pages.Secret != "" {
				out.Header.Set(hearth.PageSecretHeader, pages.Secret)
			}
		},
		ModifyResponse: func(response *http.Response) error {
			if response.StatusCode == http.StatusSwitchingProtocols {
				return errSwitches // the browser's connection would be the driver's
			}
			response.Header = only(response.Header, sparkResponse)
			if to := response.Header.Get("Location"); to != "" {
				response.Header.Set("Location", within(root, to))
			}
			w.Header().Set("Content-Security-Policy", sparkPolicy(origin(r)+root+"/"))
			if strings.HasPrefix(r.URL.Path, root+"/static/") && response.StatusCode < http.StatusBadRequest {
				w.Header().Set("Cache-Control", assetsAge)
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { failure = err },
	}
	proxy.ServeHTTP(w, r)
	if failure != nil {
		return c.soon(w, &hearth.Error{
			Kind: hearth.KindUnavailable, Err: failure,
			Message: "Spark's pages of session " + v.sessionID + " do not answer. If its driver is ending, they are there again when it has ended.",
		})
	}
	return nil
}

// stops reports whether a page would stop something. Its name may have parameters,
// which Spark's server does not look at: kill;x.
func stops(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(segment string) bool {
		name, _, _ := strings.Cut(segment, ";")
		return name == "kill"
	})
}

// soon has the browser look again after what passes.
func (c *Console) soon(w http.ResponseWriter, err error) error {
	if hearth.KindOf(err) == hearth.KindUnavailable {
		w.Header().Set("Refresh", "5")
	}
	return err
}

// sparkPolicy lets Spark's pages do what they need: run the scripts and styles
// that are written into them, and load what is below an address. What a driver
// sends may be anything that its code wants it to, and the pages of other sessions
// are at the same server: so these scripts cannot fetch, frame, send to or open
// anything else here. Nor can they leave a worker behind, which could answer for
// these pages later, without a policy.
func sparkPolicy(below string) string {
	return "default-src 'none'; script-src 'unsafe-inline' " + below + "; worker-src 'none'; style-src 'unsafe-inline' " + below +
		"; img-src data: " + below + "; font-src data: " + below + "; connect-src " + below + "; form-action " + below +
		"; frame-ancestors 'none'; base-uri 'none'; sandbox allow-scripts allow-same-origin allow-forms allow-modals allow-downloads"
}

// origin is the server's, as the browser has it.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// within keeps a redirection below root: a browser that follows one does not ask
// the policy for the path any more.
func within(root, location string) string {
	to, err := url.Parse(location)
	if err != nil {
		return root + "/"
	}
	clean := path.Clean("/" + to.Path)
	if strings.HasSuffix(to.Path, "/") && clean != "/" {
		clean += "/"
	}
	if clean != root && !strings.HasPrefix(clean, root+"/") {
		clean = root + clean
	}
	return (&url.URL{Path: clean, RawQuery: to.RawQuery, Fragment: to.Fragment}).String()
}

// only are the named headers.
func only(all http.Header, names []string) http.Header {
	some := make(http.Header)
	for _, name := range names {
		if values := all.Values(name); len(values) > 0 {
			some[name] = slices.Clone(values)
		}
	}
	return some
}
