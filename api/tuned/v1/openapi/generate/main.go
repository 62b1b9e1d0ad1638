// Command generate makes the description of the HTTP API: of the Swagger 2 file that protoc writes and of
// the routes beside it, OpenAPI 3 on standard output.
//
//	generate SWAGGER ROUTES
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
)

func main() {
	if err := generate(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want SWAGGER ROUTES, got %d arguments", len(args))
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var swagger openapi2.T
	if err := json.Unmarshal(text, &swagger); err != nil {
		return fmt.Errorf("read %s: %w", args[0], err)
	}
	doc, err := openapi2conv.ToV3(&swagger)
	if err != nil {
		return fmt.Errorf("convert %s: %w", args[0], err)
	}
	loader := openapi3.NewLoader()
	routes, err := loader.LoadFromFile(args[1])
	if err != nil {
		return fmt.Errorf("read %s: %w", args[1], err)
	}
	loosen(doc.Components.Schemas)
	byLine(doc)
	lay(doc, routes)
	answerErrors(doc)
	if err := loader.ResolveRefsIn(doc, nil); err != nil {
		return fmt.Errorf("resolve references: %w", err)
	}
	if err := doc.Validate(loader.Context); err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	out.SetEscapeHTML(false)
	return out.Encode(doc)
}

// byLine says of requests that are streams of messages that there is one per line.
func byLine(doc *openapi3.T) {
	const streamed = " (streaming inputs)" // ends what protoc says of them
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			if operation.RequestBody == nil || !strings.HasSuffix(operation.RequestBody.Value.Description, streamed) {
				continue
			}
			body := operation.RequestBody.Value
			body.Description = strings.TrimSuffix(body.Description, streamed) + " The body has a message per line."
			body.Content = openapi3.Content{"application/x-ndjson": body.Content["application/json"]}
		}
	}
}

// lay puts what is written by hand over what was generated.
func lay(doc, over *openapi3.T) {
	doc.OpenAPI, doc.Info, doc.Security = over.OpenAPI, over.Info, over.Security
	doc.Servers = openapi3.Servers{{URL: "/"}}
	for path, item := range over.Paths.Map() {
		doc.Paths.Set(path, item)
	}
	maps.Copy(doc.Components.Schemas, over.Components.Schemas)
	doc.Components.Responses, doc.Components.SecuritySchemes = over.Components.Responses, over.Components.SecuritySchemes
}

// answerErrors says of each operation what its errors look like.
func answerErrors(doc *openapi3.T) {
	for path, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			if path != "/healthz" && path != "/readyz" {
				operation.Responses.Set("default", &openapi3.ResponseRef{Ref: "#/components/responses/Problem"})
			}
		}
	}
}

// loosen says that a number may be one of the texts that stand for what JSON has no number for.
func loosen(schemas openapi3.Schemas) {
	for _, s := range schemas {
		if s.Value == nil {
			continue
		}
		for name, field := range s.Value.Properties {
			s.Value.Properties[name] = loose(field)
		}
	}
}

func loose(s *openapi3.SchemaRef) *openapi3.SchemaRef {
	switch {
	case s.Ref != "" || s.Value == nil:
	case s.Value.Type.Is("number"):
		number := *s.Value
		number.Title, number.Description = "", ""
		text := openapi3.NewStringSchema().WithEnum("NaN", "Infinity", "-Infinity")
		return &openapi3.SchemaRef{Value: &openapi3.Schema{
			Title: s.Value.Title, Description: s.Value.Description,
			OneOf: openapi3.SchemaRefs{{Value: &number}, {Value: text}},
		}}
	case s.Value.Items != nil:
		s.Value.Items = loose(s.Value.Items)
	case s.Value.AdditionalProperties.Schema != nil:
		s.Value.AdditionalProperties.Schema = loose(s.Value.AdditionalProperties.Schema)
	}
	return s
}
