import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Drainer } from './drainer';
import { RootController } from './root.controller';

@Module({ imports: [DiscoveryModule], controllers: [RootController], providers: [Drainer] })
export class HttpModule {}
