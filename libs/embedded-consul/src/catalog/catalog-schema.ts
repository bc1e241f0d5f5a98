import { serviceAddress, serviceWeights } from '../agent/service-schema.js';
import {
  goAny,
  goArray,
  goBool,
  goInt,
  goMap,
  goString,
  type GoStruct,
  type GoType,
} from '../json/go-json-decoder.js';

export const checkType: GoStruct = {
  kind: 'struct',
  name: 'structs.HealthCheck',
  errorName: 'HealthCheck',
  fields: {
    Node: goString,
    CheckID: goString,
    Name: goString,
    Status: goString,
    Notes: goString,
    Output: goString,
    ServiceID: goString,
    ServiceName: goString,
    ServiceTags: goArray(goString),
    Type: goString,
    Definition: goAny,
    CreateIndex: goInt,
    ModifyIndex: goInt,
  },
};

/** Of an instance in the catalog. */
export const nodeServiceFields: Readonly<Record<string, GoType>> = {
  Kind: goString,
  ID: goString,
  Service: goString,
  Tags: goArray(goString),
  Address: goString,
  TaggedAddresses: goMap(serviceAddress),
  Meta: goMap(goString),
  Port: goInt,
  Weights: serviceWeights,
  EnableTagOverride: goBool,
  Proxy: goAny,
  Connect: goAny,
};
