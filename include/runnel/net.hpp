// runnel/net.hpp: all of the net component.
#pragma once

#include <runnel/net/address.hpp>
#include <runnel/net/pipe.hpp>
#include <runnel/net/resolver.hpp>
#include <runnel/net/socket_stream.hpp>
#include <runnel/net/stream.hpp>
#include <runnel/net/tcp.hpp>
#include <runnel/net/udp.hpp>
#include <runnel/net/unix.hpp>
#include <runnel/net/wait.hpp>
