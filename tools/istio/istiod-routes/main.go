// Command istiod-routes answers what routes istiod makes of Istio configuration.
//
// It runs istiod's own route generation in this process, without a cluster: each line of
// stdin is a JSON object {"config": "<YAML documents>", "type": "router" or "sidecar"},
// and each line of stdout is {"routes": [RouteConfiguration, …]} or {"error": "…"}.
// The tests compare pinroute's reading of VirtualServices with it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/pkg/networking/core"
	"istio.io/istio/pkg/log"
	"istio.io/istio/pkg/test"
	"istio.io/istio/pkg/util/protomarshal"
)

type question struct {
	Config string `json:"config"`
	Type   string `json:"type"`
}

type answer struct {
	Routes []json.RawMessage `json:"routes,omitempty"`
	Error  string            `json:"error,omitempty"`
}

func main() {
	options := log.DefaultOptions()
	options.SetDefaultOutputLevel(log.OverrideScopeName, log.NoneLevel)
	if err := log.Configure(options); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 0, 1<<20), 1<<26)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var asked question
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := out.Encode(routes(asked)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func routes(asked question) (found answer) {
	err := test.Wrap(func(t test.Failer) {
		generator := core.NewConfigGenTest(t, core.TestOptions{ConfigString: asked.Config})
		labels := map[string]string{"istio": "ingressgateway"}
		kind := model.Router
		if asked.Type == "sidecar" {
			kind = model.SidecarProxy
			labels = map[string]string{"app": "client"}
		}
		proxy := generator.SetupProxy(&model.Proxy{
			Type:            kind,
			ConfigNamespace: "istio-system",
			Labels:          labels,
			Metadata: &model.NodeMetadata{
				Namespace:    "istio-system",
				Labels:       labels,
				IstioVersion: "1.32.0",
			},
		})
		for _, configuration := range generator.Routes(proxy) {
			text, err := protomarshal.Marshal(configuration)
			if err != nil {
				t.Fatal(err)
			}
			found.Routes = append(found.Routes, text)
		}
	})
	if err != nil {
		return answer{Error: err.Error()}
	}
	return found
}
