//! An address for an address, prefix-preserving: ipcrypt-pfx (draft-denis-ipcrypt). Two addresses share as many leading
//! bits after as before: that is its use and its leak.
//!
//! Each bit is masked by a function of the bits before it. To encrypt, all those prefixes are known beforehand, so their
//! blocks go through AES together; one after the other, as to decrypt, is ten times slower.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aes::cipher::{BlockEncrypt, KeyInit, generic_array::GenericArray};
use aes::{Aes128, Block};
use ipcrypt_rs::IpcryptPfx;
use zeroize::Zeroizing;

/// The cipher of one kind. The two AES keys are the halves of its key.
pub struct SubnetCipher {
    key: Zeroizing<[u8; 32]>,
    first: Aes128,
    second: Aes128,
}

impl SubnetCipher {
    pub fn new(key: Zeroizing<[u8; 32]>) -> SubnetCipher {
        let first = Aes128::new(GenericArray::from_slice(&key[..16]));
        let second = Aes128::new(GenericArray::from_slice(&key[16..]));
        SubnetCipher { key, first, second }
    }

    pub fn encrypt(&self, ip: IpAddr) -> IpAddr {
        match ip {
            IpAddr::V4(v4) => {
                let mapped = v4.to_ipv6_mapped().to_bits();
                IpAddr::V4(Ipv4Addr::from_bits((mapped ^ self.masks::<32>(mapped)) as u32))
            }
            IpAddr::V6(v6) => {
                let bits = v6.to_bits();
                IpAddr::V6(Ipv6Addr::from_bits(bits ^ self.masks::<128>(bits)))
            }
        }
    }

    pub fn decrypt(&self, ip: IpAddr) -> IpAddr {
        IpcryptPfx::new(*self.key).decrypt_ipaddr(ip)
    }

    /// The masks of the last `N` bits.
    fn masks<const N: usize>(&self, bits: u128) -> u128 {
        let mut first = [Block::default(); N];
        for (i, block) in first.iter_mut().enumerate() {
            // The prefix before bit i, right-aligned, with a one above its highest bit to say where it begins.
            let length = 128 - N + i;
            let prefix = if length == 0 { 0 } else { bits >> (128 - length) };
            *block = (prefix | 1 << length).to_be_bytes().into();
        }
        let mut second = first;
        self.first.encrypt_blocks(&mut first);
        self.second.encrypt_blocks(&mut second);
        first.iter().zip(&second).fold(0, |masks, (a, b)| masks << 1 | u128::from((a[15] ^ b[15]) & 1))
    }
}
