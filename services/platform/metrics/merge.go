package metrics

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// askTimeout is how long a process may take to answer a merged scrape.
const askTimeout = 5 * time.Second

// Merge gathers what the processes behind these sockets tell, each name an
// unix: address, as one exposition. A process that does not answer is told as
// down, and does not hide the others.
func Merge(sockets map[string]string) prometheus.Gatherer {
	up := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "makegood_process_up", Help: "1 when the process answered this scrape, 0 when it did not; only where one address tells of several processes.",
	}, []string{"service"})
	own := prometheus.NewRegistry()
	own.MustRegister(up)
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		names := slices.Sorted(maps.Keys(sockets))
		told := make([]prometheus.Gatherer, len(names))
		answers := make(chan struct{}, len(names))
		for i, name := range names {
			go func() {
				defer func() { answers <- struct{}{} }()
				families, err := ask(strings.TrimPrefix(sockets[name], unixPrefix))
				if err != nil {
					up.WithLabelValues(name).Set(0)
					families = nil
				} else {
					up.WithLabelValues(name).Set(1)
				}
				told[i] = prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
			}()
		}
		for range names {
			<-answers
		}
		return append(prometheus.Gatherers{own}, told...).Gather()
	})
}

// ask scrapes one process.
func ask(path string) ([]*dto.MetricFamily, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://process/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics: %s", resp.Status)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		return nil, err
	}
	return slices.Collect(maps.Values(families)), nil
}
