// Command grpcurl takes those words of the tool of that name that docs/api.md uses, for machines that lack it: it
// sends a call as JSON over gRPC, and prints the answer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/tuned-hpo/tuned/api/tuned/v1" // the messages
)

func main() {
	flag.Bool("plaintext", true, "without TLS")
	flag.String("proto", "", "ignored: the messages are known")
	header := flag.String("H", "", "`NAME: VALUE` of a header")
	data := flag.String("d", "{}", "the request, as `JSON`")
	flag.Parse()
	if err := call(*header, *data, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "ERROR:", err)
		os.Exit(1)
	}
}

func call(header, data string, args []string) error {
	if len(args) != 2 {
		return errors.New("want ADDRESS SERVICE/METHOD")
	}
	service, name, _ := strings.Cut(args[1], "/")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service + "." + name))
	if err != nil {
		return err
	}
	method, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return fmt.Errorf("%s is no method", args[1])
	}
	request, err := protoregistry.GlobalTypes.FindMessageByName(method.Input().FullName())
	if err != nil {
		return err
	}
	response, err := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
	if err != nil {
		return err
	}
	in, out := request.New().Interface(), response.New().Interface()
	if err := protojson.Unmarshal([]byte(data), in); err != nil {
		return err
	}
	conn, err := grpc.NewClient(args[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	key, value, _ := strings.Cut(header, ": ")
	ctx := metadata.AppendToOutgoingContext(context.Background(), key, value)
	if err := conn.Invoke(ctx, "/"+args[1], in, out); err != nil {
		return err
	}
	fmt.Println(protojson.Format(out))
	return nil
}
