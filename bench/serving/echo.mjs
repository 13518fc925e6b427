// What Nest and Express cost: an application as `nest new` creates it, whose handler is given the JSON body and answers a constant.
// usage: node bench/serving/echo.mjs PORT
import 'reflect-metadata';
import { Body, Controller, HttpCode, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

const OUTPUT = { name: 'y', datatype: 'FP32', shape: [1, 1], data: [0.12345678] };

class EchoController {
  infer(_body) {
    return { model_name: 'echo', model_version: '1', outputs: [OUTPUT] };
  }
}
const method = Object.getOwnPropertyDescriptor(EchoController.prototype, 'infer');
for (const decorate of [Post('infer'), HttpCode(200)]) decorate(EchoController.prototype, 'infer', method);
Body()(EchoController.prototype, 'infer', 0);
Controller('v2/models/:model')(EchoController);

function EchoModule() {}
Module({ controllers: [EchoController] })(EchoModule);

const app = await NestFactory.create(EchoModule);
await app.listen(Number(process.argv[2]), '127.0.0.1');
